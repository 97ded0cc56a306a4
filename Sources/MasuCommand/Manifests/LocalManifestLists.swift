import Glibc
import LinuxKernel
import SystemPackage

/// Manifest lists that are not in a registry yet, which docker's clients share: in `manifests` beside `config.json`
/// there is a directory for each list, with a file for each image.
package struct LocalManifestLists {
    private let root: String

    /// Those in the directory of docker's clients where a file `config.json` is.
    package init(beside configuration: String) {
        root = CopyPath.parent(LocalFile.absolute(configuration)) + "/manifests"
    }

    /// Those of the user of this program.
    static var user: LocalManifestLists { LocalManifestLists(beside: ClientConfiguration.standardPath) }

    /// The directory of a list by its full name.
    package func folder(_ list: String) -> String { "\(root)/\(Self.fileName(list))" }

    /// Docker's name of a file for a reference.
    private static func fileName(_ reference: String) -> String {
        String(reference.map { $0 == ":" ? "-" : $0 == "/" ? "_" : $0 })
    }

    /// The images of a list, in the order of their files' names.
    ///
    /// - Throws: ``CommandError``, in docker's words if there is no such list.
    package func manifests(_ list: String) throws(CommandError) -> [LocalManifest] {
        let names: [String]
        do throws(Errno) {
            names = try DirectoryListing.names(of: FilePath(folder(list))).map { String(decoding: $0, as: UTF8.self) }
        } catch {
            guard error == .noSuchFileOrDirectory else {
                throw CommandError("open \(folder(list)): \(Console.words(error.rawValue))")
            }
            throw CommandError("No such manifest: \(list)")
        }
        var manifests: [LocalManifest] = []
        for name in names.sorted() { manifests.append(try read("\(folder(list))/\(name)")) }
        return manifests
    }

    /// Whether there is a list.
    package func has(_ list: String) -> Bool { LocalFile.exists(folder(list)) }

    /// An image of a list, or nil.
    package func manifest(_ reference: String, of list: String) throws(CommandError) -> LocalManifest? {
        let path = "\(folder(list))/\(Self.fileName(reference))"
        return LocalFile.exists(path) ? try read(path) : nil
    }

    private func read(_ path: String) throws(CommandError) -> LocalManifest {
        let bytes = try LocalFile.read(path)
        do throws(CommandError) {
            return try LocalManifest(parsing: bytes)
        } catch {
            throw CommandError("cannot read the manifest \(path): \(error.message)")
        }
    }

    /// Adds an image to a list, which is made if it does not exist, or replaces it.
    package func save(_ manifest: LocalManifest, in list: String) throws(CommandError) {
        for directory in [CopyPath.parent(root), root, folder(list)] {
            guard mkdir(directory, 0o755) == 0 || errno == EEXIST else {
                throw CommandError("mkdir \(directory): \(Console.words(errno))")
            }
        }
        try LocalFile.replace(
            "\(folder(list))/\(Self.fileName(manifest.reference))", with: manifest.serialized, mode: 0o644)
    }

    /// Removes a list.
    ///
    /// - Throws: ``CommandError``, in docker's words if there is no such list.
    package func remove(_ list: String) throws(CommandError) {
        guard has(list) else { throw CommandError("No such manifest: \(list)") }
        do throws(Errno) {
            try TreeRemoval.remove(FilePath(folder(list)))
        } catch {
            throw CommandError("remove \(folder(list)): \(Console.words(error.rawValue))")
        }
    }
}
