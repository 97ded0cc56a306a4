import JSON
import ShimProtocol
import SystemPackage

/// The drivers that keep a container's output, by Docker's names.
///
/// To add a driver:
/// 1. Add a case here and answer what the compiler asks below; the lists of drivers in flags, errors and `docker info`
///    come from this type. The driver's options belong to `LogSettings`; `LogWire` of `EngineAPI` reads their texts.
/// 2. Add the case to `ShimProtocol/LogConfiguration.swift`.
/// 3. Write a class in `Sources/Shim/Log` that conforms to `LogSink`, and name it in the table below that protocol: the
///    shim writes every log, so that none depends on the daemon.
/// 4. If `docker logs` can read it, let `LogReader` of `Tasks` do so, with a reader of its entries beside
///    `JSONLogEntry`.
package enum LogDriver: String, Hashable, Sendable, Codable, CaseIterable {
    /// Files of JSON lines.
    case jsonFile = "json-file"
    /// The output is not kept.
    case none

    /// What a container has whose user and daemon say nothing.
    package static let standard = LogDriver.jsonFile

    /// All names, as help texts and errors list them.
    package static var list: String { allCases.map(\.rawValue).joined(separator: " or ") }

    /// Whether there is a file that `docker logs` reads and `inspect` names.
    var isReadable: Bool {
        switch self {
        case .jsonFile: true
        case .none: false
        }
    }
}

extension LogSettings {
    /// Whether the log can be read.
    var isReadable: Bool { (driver ?? .standard).isReadable }

    /// What the shim has to know of the log of a container, whose file would be at `path`.
    func configuration(of record: ContainerRecord, at path: FilePath) -> ShimProtocol.LogConfiguration {
        switch driver ?? .standard {
        case .none: .none
        case .jsonFile: fileConfiguration(of: record, at: path)
        }
    }

    private func fileConfiguration(of record: ContainerRecord, at path: FilePath) -> ShimProtocol.LogConfiguration {
        var result = ShimProtocol.LogConfiguration.jsonFile(path.string)
        if let size = file.maxSize?.value.bytes { result.maxSize = size == 0 ? nil : size }
        if let count = file.maxFiles { result.maxFiles = count }
        let attributes = LogAttributes.attributes(record, options: file)
        if !attributes.isEmpty {
            var object = JSONObject()
            for (name, value) in attributes.sorted(by: { $0.key < $1.key }) { object[name] = .string(value) }
            result.attributes = .object(object)
        }
        return result
    }
}
