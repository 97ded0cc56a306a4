// Parses whatever comes as the name of an image; what is a name has to survive being written and read again.
import CFuzzer
import Glibc
import OCISpec

var count = CommandLine.argc
var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
let status = LLVMFuzzerRunDriver(&count, &arguments) { data, size in
    let text = String(decoding: UnsafeRawBufferPointer(start: data, count: size), as: UTF8.self)
    if let digest = Digest(text) { precondition(Digest(digest.description) == digest, "\(text)") }
    do throws(ImageReferenceError) {
        let reference = try ImageReference(parsing: text)
        for form in [reference.description, reference.familiar, reference.withDefaultTag.description] {
            let again = try ImageReference(parsing: form)
            precondition(again.name == reference.name, "\(text) became \(form)")
        }
        precondition(try ImageReference(parsing: reference.description) == reference, "\(text)")
    } catch {
        _ = "\(error)"
    }
    return 0
}
exit(status)
