import BuildInformation
import Glibc
import JSON
import LinuxKernel
import ShimProtocol
import SystemPackage

/// `masu-shim --bundle DIR`: creates the container in `DIR` and stays behind it.
///
/// The caller waits for a process that returns when the container is created, with a line of JSON on its standard
/// output (`ShimLaunchResult`); the shim itself is a child of that process, in a session of its own and attached to
/// nothing of the caller's. With `--child` there is no such process in between: the caller's own child writes the line
/// and is the shim. Its standard output must be a socket then, which becomes a connection of the caller's to the shim.
///
/// With `--waiting` in the place of `--child` the shim gets ready and waits for the bundle's path, a line on that
/// socket; the end of the socket ends it. What stands in the place of the directory until then only keeps room for the
/// path, so that `ps` can show it.
package enum ShimProgram {
    private static let usage = """
        Usage: masu-shim --bundle DIR

        Creates the container described by config.json and shim.json in DIR and stays in the
        background as its parent until it has ended. masud runs this; there is no need to do so
        by hand.

          --bundle DIR   the container's bundle
          --child        be the shim, instead of leaving it behind in the background
          --waiting      the same, for a bundle whose path comes on standard output's socket
          --delete       remove what is left of the container of a shim that was killed, where
                         an external runtime has made it
          --version      print the version
        """

    /// Runs the program. Returns in the caller's process and, when the container has ended, in the shim.
    package static func run(_ arguments: [String]) -> Int32 {
        Descriptors.secureStandardStreams()
        switch Array(arguments.dropFirst()) {
        case ["--version"], ["-v"]:
            return print("masu-shim version \(MasuVersion.version)")
        case ["--help"], ["-h"]:
            return print(usage)
        case let arguments where arguments.count == 2 && arguments[0] == "--bundle":
            return launch(FilePath(arguments[1]))
        case let arguments where arguments.count == 3 && arguments[0] == "--bundle" && arguments[2] == "--child":
            return serveCaller(isWaiting: false) { _ in FilePath(arguments[1]) }
        case let arguments where arguments.count == 3 && arguments[0] == "--bundle" && arguments[2] == "--waiting":
            return serveCaller(isWaiting: true, WaitingShim.bundle)
        case let arguments where arguments.count == 3 && arguments[0] == "--bundle" && arguments[2] == "--delete":
            return delete(FilePath(arguments[1]))
        case let arguments where arguments.count == 1 && arguments[0].hasPrefix("--bundle="):
            return launch(FilePath(String(arguments[0].dropFirst("--bundle=".count))))
        default:
            // If standard error is closed nobody wants to read it.
            try? FileDescriptor.standardError.writeEntire(Array((usage + "\n").utf8))
            return 2
        }
    }

    // MARK: The caller's process

    private static func launch(_ bundle: FilePath) -> Int32 {
        do throws(Errno) {
            // Whatever the caller has left open is none of the shim's, let alone the container's, business.
            try Descriptors.close(from: 3)
            let (reading, writing) = try FileDescriptor.makePipe()
            switch try ProcessControl.fork(wantsPIDFD: true) {
            case .child:
                reading.discard()
                return serve(bundle, report: writing)
            case .parent(let shim, let process):
                writing.discard()
                // Only here: the container's processes would inherit it.
                Signals.ignore(SIGPIPE)
                let result = awaitReport(reading, from: process)
                // A shim without a container ends by itself. It is reaped here, not left to the parent of orphans. That
                // it cannot be waited for would mean that it is gone.
                if case .failed = result { _ = try? ProcessControl.wait(for: shim) }
                let status = print(result)
                if case .launched = result, status != 0 { abandon(bundle) }
                return status
            }
        } catch {
            return print(.failed(ShimError(.system, "cannot start the shim: \(error)")))
        }
    }

    private static func awaitReport(_ report: FileDescriptor, from process: FileDescriptor?) -> ShimLaunchResult {
        var line: [UInt8] = []
        while line.last != 0x0a {
            // The end of the pipe says nothing: the container's first process, too, has it open until it is started.
            // Fails only for want of memory; the shim is reported as lost then.
            let events = try? Poll.wait(
                for: [(report, .readable)] + (process.map { [($0, .readable)] } ?? []), milliseconds: -1)
            if let ready = events?.first, !ready.isEmpty {
                var byte = [UInt8](repeating: 0, count: 4096)
                let count = byte.withUnsafeMutableBytes { read(report.rawValue, $0.baseAddress, $0.count) }
                if count > 0 { line += byte[..<count] }
                if count <= 0 { break }
            } else {
                break
            }
        }
        // Nothing, or half of a line, is what a shim that has been killed leaves.
        guard let result = try? JSON.decode(ShimLaunchResult.self, from: line) else {
            return .failed(ShimError(.system, "the shim has ended unexpectedly"))
        }
        return result
    }

    /// The caller went away before it was told of the container, so nobody will ever start it.
    private static func abandon(_ bundle: FilePath) {
        do throws(ShimError) {
            let connection = try ShimConnection(bundle: bundle)
            try connection.call(.subscribe)
            try connection.call(.kill(signal: .kill))
            while try connection.nextEvent() != nil {}
            try? Files.remove(bundle.appending(ShimBundle.exit))  // Not there if somebody else was faster.
        } catch {
            // The shim has ended meanwhile, or it lives and answers on its socket.
        }
    }

    private static func print(_ result: ShimLaunchResult) -> Int32 {
        do throws(Errno) {
            try FileDescriptor.standardOutput.writeEntire(line(result))
        } catch {
            return 1
        }
        if case .launched = result { return 0 }
        return 1
    }

    private static func line(_ result: ShimLaunchResult) -> [UInt8] {
        // The type has nothing that could not be encoded.
        ((try? JSON.encode(result)) ?? []) + [0x0a]
    }

    private static func print(_ text: String) -> Int32 {
        do throws(StandardOutput.Failure) {
            try StandardOutput.print(text)
            return 0
        } catch {
            // If standard error is closed nobody wants to read it.
            try? FileDescriptor.standardError.writeEntire(Array("masu-shim: \(error)\n".utf8))
            return 1
        }
    }

    // MARK: After a shim

    /// Asks an external runtime to remove a container whose shim is gone. Nothing has to be done for our own: masud
    /// kills its processes, and there is no other state than in the bundle.
    private static func delete(_ path: FilePath) -> Int32 {
        do throws(ShimError) {
            let bundle = try Bundle(path)
            let configuration = try bundle.read(ShimConfiguration.self, from: ShimBundle.configuration)
            guard let program = configuration.runtime else { return 0 }
            let loop = try attempt("epoll_create") { () throws(Errno) in try EventLoop() }
            let runtime = ExternalRuntime(program, configuration, bundle: bundle, cgroup: nil, loop: loop)
            try runtime.leaveHost(for: bundle.path)
            try runtime.deleteNow()
            return 0
        } catch {
            // If standard error is closed nobody wants to read it.
            try? FileDescriptor.standardError.writeEntire(Array((error.message + "\n").utf8))
            return 1
        }
    }

    // MARK: The shim

    /// `bundle` says what the caller wants to have run; nothing if it has gone away. If it has waited for that, this is
    /// a background process by then.
    private static func serveCaller(
        isWaiting: Bool, _ bundle: (FileDescriptor) throws(ShimError) -> FilePath?
    ) -> Int32 {
        do throws(Errno) {
            // As in `launch`.
            try Descriptors.close(from: 3)
            let caller = try FileDescriptor.standardOutput.duplicate(from: 3)
            do throws(ShimError) {
                guard let bundle = try bundle(caller) else { return 0 }
                return serve(bundle, report: caller, isCaller: true, isInBackground: isWaiting)
            } catch {
                try? caller.writeEntire(line(.failed(error)))  // There is nobody else to be told.
                return 1
            }
        } catch {
            return print(.failed(ShimError(.system, "cannot start the shim: \(error)")))
        }
    }

    /// - Parameter isCaller: whether `report` is a connection that stays.
    private static func serve(
        _ bundle: FilePath, report: FileDescriptor, isCaller: Bool = false, isInBackground: Bool = false
    ) -> Int32 {
        let shim: Shim
        do throws(ShimError) {
            // Before this process leaves the directory that the path may be relative to.
            let home = try Bundle(bundle)
            if !isInBackground { try Shim.becomeBackgroundProcess() }
            shim = try Shim(home: home)
            do throws(ShimError) {
                try launch(home, in: shim, report: report, staysConnected: isCaller)
            } catch {
                shim.abandon()
                throw error
            }
        } catch {
            try? report.writeEntire(line(.failed(error)))  // As above; and there is nothing left to be undone.
            return 1
        }
        shim.run()
        return 0
    }

    /// Creates the first container, and says so.
    private static func launch(
        _ bundle: Bundle, in shim: Shim, report: FileDescriptor, staysConnected: Bool
    ) throws(ShimError) {
        var launch = try Launch(bundle, in: shim)
        let container = try launch.run()
        do throws(ShimError) {
            let pid = try shim.adopt(container)
            // If the caller has gone away, nobody will ever start the container.
            try attempt("cannot start the shim") { () throws(Errno) in
                try report.writeEntire(
                    line(
                        .launched(
                            pid: pid, shimPid: getpid(), ports: container.ports?.ports ?? [],
                            isConnected: staysConnected)))
            }
            if staysConnected { shim.add(report, subscribedTo: container) } else { report.discard() }
        } catch {
            launch.revert()
            throw error
        }
    }
}
