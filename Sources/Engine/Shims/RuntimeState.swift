import JSON
import LinuxKernel
import Logging
import ShimProtocol
import SystemPackage

extension EngineServices {
    /// Has an external runtime remove what it knows of a container whose shim was killed: nobody else knows what there is. Nothing is
    /// done where the built-in runtime made the container, or where nothing is left.
    func deleteRuntimeState(in bundle: FilePath, logger: Logger) async {
        let program = configuration.shimPath
        do {
            try await pool.run {
                guard Files.exists(bundle.appending(ShimBundle.runtime)) else { return }
                let bytes = try Files.read(bundle.appending(ShimBundle.configuration), limit: 1 << 20)
                guard try JSON.decode(ShimConfiguration.self, from: bytes).runtime != nil else { return }
                try ShimLaunch.delete(program: program, bundle: bundle)
            }
        } catch {
            logger.warning("cannot clean up after a killed shim: \(error)")
        }
    }

    /// A container whose row is gone, or cannot be read, does not run.
    func endStrayShim(_ bundle: FilePath) async {
        guard Files.exists(bundle.appending(ShimBundle.socket)) else {
            return await deleteRuntimeState(in: bundle, logger: logger)
        }
        do {
            let client = try ShimClient(bundle: bundle)
            try await client.call(.subscribe, orKillWithin: .seconds(3))
            try await client.call(.kill(signal: .kill, all: true), orKillWithin: .seconds(3))
            for await event in client.events {
                if case .exited = event { break }
            }
            client.close()
        } catch {
            logger.warning("a shim that belongs to no container does not answer: \(error)")
            await deleteRuntimeState(in: bundle, logger: logger)
        }
    }
}
