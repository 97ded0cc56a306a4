import JSON
import LinuxKernel
import Synchronization
import SystemPackage

/// Runs network plugins: the programs that make a network of CNI, one after the other.
///
/// The life of an attachment:
///
///  1. `prepare` finds the programs and the version of the specification that all of them speak, and makes nothing. The
///     caller keeps the record that it returns where it survives a crash.
///  2. `add` runs the plugins in their order; each gets what the one before it has said. After an error it has taken
///     back what they made. The caller keeps the record anew, as it now has the result.
///  3. `check` asks the plugins whether all is still as they made it.
///  4. `delete` runs them in the reverse order, each whatever becomes of the others. Plugins take it that it is done
///     twice, and that the namespace is gone.
///
/// Operations on one container must not overlap, and `collectGarbage` must not overlap with `add` and `delete` of its
/// network (specification 1.1, section 3, "Lifecycle & Ordering"); callers see to both. Plugins run in the network
/// namespace of the thread that calls. All functions block.
package final class NetworkPlugins: Sendable {
    /// Where programs are looked for, in this order (`CNI_PATH`).
    package let directories: [FilePath]
    /// How long one plugin may take at one call. Then it is killed with all of its process group.
    package let timeLimit: Duration
    /// How many bytes a plugin may write to its standard output.
    static let outputLimit = 1 << 20

    /// What programs have said of themselves, as long as their files stay the same.
    private let known = Mutex<[ProgramIdentity: [CNIVersion]]>([:])

    /// The plugins in these directories.
    package init(directories: [FilePath], timeLimit: Duration = .seconds(120)) {
        self.directories = directories
        self.timeLimit = timeLimit
    }

    // MARK: An attachment

    /// Finds out how a network's plugins have to be spoken to.
    ///
    /// - Throws: `CNIError` for a program that is missing or does not say what it speaks, and if there is no version
    ///   that the network and all its plugins know.
    package func prepare(
        _ list: NetworkConfigurationList, _ parameters: AttachmentParameters
    ) throws(CNIError) -> AttachmentRecord {
        AttachmentRecord(list: list, version: try version(of: list), parameters: parameters)
    }

    /// Adds a container to a network.
    ///
    /// - Parameter token: a file that plugins keep open as long as they run, also after this process: who has locked it
    ///   (flock(2)) knows by that when they have ended. It says which plugin runs (`RunningPlugin`).
    /// - Throws: `CNIError`. The plugins have taken back what they made, unless `hasRemains`: then `delete` has to be
    ///   called again with the record, which has the result of those that had come to their end.
    package func add(_ record: inout AttachmentRecord, token: FileDescriptor? = nil) throws(CNIError) {
        var result: AttachmentResult?
        do throws(CNIError) {
            for plugin in record.list.plugins {
                let request = PluginRequest(
                    .add, plugin, of: record, namespace: record.parameters.namespace, previous: result)
                let output = try run(plugin.type, request, network: record.list.name, token: token)
                result = try Self.result(output, plugin.type, record)
            }
        } catch {
            // The specification asks for DEL after an ADD that has failed.
            var failed = record
            failed.result = result
            do throws(CNIError) { try delete(failed, token: token) } catch let remains {
                record = failed
                throw CNIError.remains(of: error, remains)
            }
            throw error
        }
        record.result = result ?? AttachmentResult()
    }

    /// Takes a container from a network: all plugins are asked.
    ///
    /// - Parameter limit: how long all of them together may take; `nil` leaves each its `timeLimit`.
    /// - Throws: `CNIError` with what each of them has said that failed.
    package func delete(
        _ record: AttachmentRecord, token: FileDescriptor? = nil, within limit: Duration? = nil
    ) throws(CNIError) {
        let path = record.parameters.namespace
        let namespace = NetworkNamespace.isNamespace(FilePath(path)) ? path : ""
        // Before 0.4.0 plugins did not know what to do with it.
        let previous = record.version.hasCheck ? record.result : nil
        let end = limit.map { ContinuousClock.now + $0 }
        var errors: [CNIError] = []
        for plugin in record.list.plugins.reversed() {
            let request = PluginRequest(.delete, plugin, of: record, namespace: namespace, previous: previous)
            do throws(CNIError) {
                _ = try run(
                    plugin.type, request, network: record.list.name, token: token,
                    within: end.map { max(.zero, $0 - .now) })
            } catch {
                errors.append(error)
            }
        }
        if let error = CNIError.joined(errors) { throw error }
    }

    /// Asks the plugins whether an attachment is as they made it. A network that does not want that, or whose version
    /// of the specification does not know it, is not asked.
    ///
    /// - Throws: `CNIError` with what the first plugin says that is not content.
    package func check(_ record: AttachmentRecord) throws(CNIError) {
        if record.list.disablesCheck || !record.version.hasCheck { return }
        guard let result = record.result else {
            throw CNIError(
                .conflict,
                "the container \(record.parameters.container) has not been added to the CNI network "
                    + "\(record.list.name)")
        }
        for plugin in record.list.plugins {
            let request = PluginRequest(
                .check, plugin, of: record, namespace: record.parameters.namespace, previous: result)
            _ = try run(plugin.type, request, network: record.list.name)
        }
    }

    // MARK: A network

    /// Has the plugins remove what is left of attachments that there are no more. A network that does not want that, or
    /// whose version of the specification does not know it, is not asked. It is for runtimes that have the network for
    /// themselves: what another one has attached counts as garbage.
    ///
    /// - Parameter valid: the attachments that there are.
    /// - Throws: `CNIError` with what each plugin has said that failed; all are asked.
    package func collectGarbage(
        _ list: NetworkConfigurationList, except valid: [AttachmentIdentity]
    ) throws(CNIError) {
        if list.disablesGarbageCollection { return }
        let version = try version(of: list)
        if !version.hasStatus { return }
        var errors: [CNIError] = []
        for plugin in list.plugins {
            do throws(CNIError) {
                let request = PluginRequest(.collectGarbage, plugin, of: list, version, valid: valid)
                _ = try run(plugin.type, request, network: list.name)
            } catch {
                errors.append(error)
            }
        }
        if let error = CNIError.joined(errors) { throw error }
    }

    /// Asks whether a network can take containers: whether its programs are there, speak its version, and where that
    /// has STATUS, say that they are ready.
    ///
    /// - Throws: `CNIError` with what the first plugin says that is not; the codes 50 and 51 have the kind
    ///   `unavailable`.
    package func status(_ list: NetworkConfigurationList) throws(CNIError) {
        let version = try version(of: list)
        if !version.hasStatus { return }
        for plugin in list.plugins {
            _ = try run(plugin.type, PluginRequest(.status, plugin, of: list, version), network: list.name)
        }
    }

    /// The newest version of the specification that a network and all its plugins know.
    func version(of list: NetworkConfigurationList) throws(CNIError) -> CNIVersion {
        var common = list.versions
        for plugin in list.plugins {
            let spoken = try versions(of: plugin.type, network: list.name)
            let left = common.filter(spoken.contains)
            if left.isEmpty {
                func text(_ versions: [CNIVersion]) -> String {
                    versions.sorted().map(\.description).joined(separator: ", ")
                }
                throw CNIError(
                    .invalid,
                    "the plugin \(plugin.type) speaks CNI \(text(spoken)), and the network \(list.name) needs "
                        + "\(text(common)): change its \"cniVersion\", or replace the plugin")
            }
            common = left
        }
        guard let newest = common.max() else { throw CNIError(.invalid, "the network \(list.name) has no version") }
        return newest
    }

    // MARK: A plugin

    /// What a plugin says it speaks, as far as this module does.
    ///
    /// - Parameter network: whose plugin it is, for messages.
    func versions(of type: String, network: String) throws(CNIError) -> [CNIVersion] {
        let program = try find(type, network: network)
        let identity = ProgramIdentity(program)
        if let identity, let versions = known.withLock({ $0[identity] }) { return versions }
        let output = try run(type, .version, network: network)
        let answer: JSONValue
        do throws(JSONError) { answer = try JSON.parse(output) } catch {
            throw Self.garbage(type, .version, network, "\(error)")
        }
        guard let texts = answer["supportedVersions"]?.array?.compactMap(\.string), !texts.isEmpty else {
            throw Self.garbage(type, .version, network, "it has no \"supportedVersions\"")
        }
        let versions = texts.compactMap { CNIVersion($0) }.filter(CNIVersion.known.contains)
        if let identity { known.withLock { $0[identity] = versions } }
        return versions
    }

    private func find(_ type: String, network: String) throws(CNIError) -> FilePath {
        for directory in directories {
            let path = directory.appending(type)
            // What is not there, or cannot be looked at, is looked for elsewhere.
            guard let status = try? FileStatus.of(path) else { continue }
            if status.kind == .regular, status.mode & 0o111 != 0 { return path }
        }
        throw CNIError(
            .system,
            "the network \(network) needs the CNI plugin \(type), which is not in "
                + directories.map(\.string).joined(separator: ", "))
    }

    /// What a plugin writes to its standard output, if it succeeds.
    private func run(
        _ type: String, _ request: PluginRequest, network: String, token: FileDescriptor? = nil,
        within limit: Duration? = nil
    ) throws(CNIError) -> [UInt8] {
        let program = try find(type, network: network)
        let place = "the CNI plugin \(type) of the network \(network)"
        let time = min(limit ?? timeLimit, timeLimit)
        let ending: PluginProcess.Ending
        do throws(PluginProcess.Interruption) {
            ending = try PluginProcess.run(
                program, environment: environment(request), input: request.document.serialized(),
                milliseconds: time.milliseconds, outputLimit: Self.outputLimit, token: token)
        } catch {
            switch error {
            case .start(let errno): throw CNIError(.system, "cannot run \(place) (\(program)): \(errno.words)")
            case .overdue:
                throw CNIError(
                    .system,
                    "\(place) has not answered \(request.command.rawValue) within \(time.milliseconds) ms, and has "
                        + "been killed")
            case .tooLong:
                throw CNIError(
                    .system,
                    "\(place) has answered \(request.command.rawValue) with more than \(Self.outputLimit) bytes, and "
                        + "has been killed")
            case .system(let errno): throw CNIError(.system, "cannot wait for \(place): \(errno.words)")
            }
        }
        if ending.status == .exited(0) { return ending.output }
        throw Self.failure(ending, of: place, request.command)
    }

    /// The daemon's own environment, as a plugin runs other programs, with what the request asks for.
    private func environment(_ request: PluginRequest) -> [String] {
        var environment = ProcessAttributes.environment.filter { !$0.hasPrefix("CNI_") }
        if !environment.contains(where: { $0.hasPrefix("PATH=") }) {
            environment.append("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        }
        environment += request.variables.map { "\($0.name)=\($0.value)" }
        return environment + ["CNI_PATH=" + directories.map(\.string).joined(separator: ":")]
    }

    private static func result(
        _ output: [UInt8], _ type: String, _ record: AttachmentRecord
    ) throws(CNIError) -> AttachmentResult {
        let document: JSONValue
        do throws(JSONError) { document = try JSON.parse(output, valueLimit: 100_000) } catch {
            throw garbage(type, .add, record.list.name, "\(error)")
        }
        do throws(CNIError) {
            return try AttachmentResult(json: document, standard: record.version)
        } catch {
            throw garbage(type, .add, record.list.name, error.message)
        }
    }

    private static func garbage(
        _ type: String, _ command: PluginCommand, _ network: String, _ reason: String
    ) -> CNIError {
        CNIError(
            .system,
            "the CNI plugin \(type) of the network \(network) has answered \(command.rawValue) with something else "
                + "than a result: \(reason)")
    }

    /// What a plugin says of its failure: a document on standard output, or else whatever it wrote.
    private static func failure(
        _ ending: PluginProcess.Ending, of place: String, _ command: PluginCommand
    ) -> CNIError {
        let beginning = "\(place) failed at \(command.rawValue)"
        let document = try? JSON.parse(ending.output, valueLimit: 100_000)  // Then its words are told as they are.
        guard let message = document?["msg"]?.string else {
            let words = [ending.errors, ending.output].map { String(decoding: $0, as: UTF8.self) }
                .map { String($0.prefix(4096)).trimmingWhitespace() }.first { !$0.isEmpty }
            return CNIError(.system, beginning + " (\(ending.status.phrase))" + (words.map { ": " + $0 } ?? ""))
        }
        let details = document?["details"]?.string ?? ""
        let code = document?["code"]?.int
        return CNIError(
            code.map { [11, 50, 51].contains($0) } == true ? .unavailable : .system,
            beginning + (code.map { " (code \($0))" } ?? "") + ": " + message
                + (details.isEmpty ? "" : ": " + details), code: code)
    }
}

/// A program as it was when it was asked what it speaks.
private struct ProgramIdentity: Hashable {
    private let path: String
    private let device: UInt64
    private let inode: UInt64
    private let seconds: Int64
    private let nanoseconds: Int64

    init?(_ path: FilePath) {
        // One that goes at this moment is asked, which says so.
        guard let status = try? FileStatus.of(path) else { return nil }
        self.path = path.string
        device = status.device
        inode = status.inode
        (seconds, nanoseconds) = status.modified
    }
}

extension Duration {
    fileprivate var milliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}

extension ProcessControl.ExitStatus {
    fileprivate var phrase: String {
        switch self {
        case .exited(let code): "exit status \(code)"
        case .signaled(let signal): "killed by signal \(signal)"
        }
    }
}

extension String {
    fileprivate func trimmingWhitespace() -> String {
        var rest = self[...]
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return String(rest)
    }
}
