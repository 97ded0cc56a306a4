import LinuxKernel
import OCISpec
import SystemPackage

/// What both directions have to do with CRIU's versions and names.
enum CRIUInterface {
    static func require(_ minimum: Int32, _ version: Int32) throws(RuntimeError) {
        guard version >= minimum else {
            throw RuntimeError(.system, "CRIU version \(version) must be \(minimum) or higher")
        }
    }

    /// The name under which a namespace that is joined by its path is dumped and found again; `nil` for those that CRIU
    /// joins by their paths.
    static func externalKey(_ type: LinuxNamespaceType) -> String? {
        switch type {
        case .network: "extRootNetNS"
        case .pid: "extRootPidNS"
        default: nil
        }
    }

    static func requireExternal(
        _ type: LinuxNamespaceType, _ version: Int32, during what: String
    ) throws(RuntimeError) {
        guard version >= (type == .pid ? 31500 : 31100) else {
            throw RuntimeError(
                .system,
                "criu lacks support for external \(type.procName) namespace during the \(what) (old criu version?)"
            )
        }
    }

    /// CRIU reads options for a container from this file, which its configuration may name. An empty name is none.
    static func configurationFile(_ annotations: [String: String]?) -> String? {
        guard let named = annotations?["org.criu.config"] else { return "/etc/criu/runc.conf" }
        return named.isEmpty ? nil : named
    }
}

extension LinuxNamespaceType {
    /// The name of its file in `/proc/<pid>/ns`.
    var procName: String {
        switch self {
        case .network: "net"
        case .mount: "mnt"
        default: rawValue
        }
    }
}

/// The directories that CRIU works in, opened for it.
struct CRIUDirectories {
    private let images: FileDescriptor
    private let work: FileDescriptor?
    /// Where the log is.
    let logDirectory: FilePath

    init(_ options: CheckpointOptions, makesImages: Bool) throws(RuntimeError) {
        images = try Self.open(options.imageDirectory, isMade: makesImages)
        do throws(RuntimeError) {
            work = try options.workDirectory.map { path throws(RuntimeError) in try Self.open(path, isMade: true) }
        } catch {
            images.discard()
            throw error
        }
        logDirectory = options.workDirectory ?? options.imageDirectory
    }

    private static func open(_ path: FilePath, isMade: Bool) throws(RuntimeError) -> FileDescriptor {
        try attempt("cannot open the directory \(path)", kind: .invalid) { () throws(Errno) in
            if isMade { try Files.makeDirectories(path, mode: 0o700) }
            return try Files.open(path, [.readOnly, .directory])
        }
    }

    func close() {
        images.discard()
        work?.discard()
    }

    /// The directories: that of the images, then that of the work, if there is one.
    var descriptors: [FileDescriptor] { [images] + [work].compactMap { $0 } }

    /// The options that both directions share.
    func options(
        _ options: CheckpointOptions, root: FilePath, logFile: String, annotations: [String: String]?
    ) -> CRIUOptions {
        var request = CRIUOptions(
            imageDirectory: images.rawValue, root: root.string, logFile: logFile, cgroupMode: options.cgroupMode,
            emptyNamespaces: options.emptyNamespaces)
        request.workDirectory = work?.rawValue
        request.isShellJob = options.isShellJob
        request.allowsExternalUnixSockets = options.allowsExternalUnixSockets
        request.allowsEstablishedTCP = options.allowsEstablishedTCP
        request.handlesFileLocks = options.handlesFileLocks
        request.deduplicates = options.deduplicates
        request.isLazy = options.isLazy
        request.configurationFile = CRIUInterface.configurationFile(annotations)
        return request
    }
}
