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
        // What people write is shorter, and can mean another registry: docker.io/a.b/c is a.b/c. So it is with Docker.
        _ = reference.familiar
        let named = try ImageReference(parsing: reference.withDefaultTag.description)
        precondition(named.name == reference.name && !named.isNameOnly, "\(text) became \(named)")
        let again = try ImageReference(parsing: reference.description)
        precondition(again == reference, "\(text)")
    } catch {
        _ = "\(error)"
    }
    return 0
}
exit(status)
