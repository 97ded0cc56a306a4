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
}
