import LinuxKernel
import SystemPackage

// A daemon that is killed while it fills a volume leaves it half filled. In a directory that can be seen; a file system
// that has to be mounted first is not mounted at every start only to look.
extension Volumes {
    /// Notes that a volume is being filled whose files can be seen only where it is mounted. Blocks.
    package func beginFilling(_ name: String) throws(VolumesError) {
        let path = fillingPath(name)
        do throws(Errno) {
            do throws(Errno) { try makeFile(path) } catch .noSuchFileOrDirectory {
                // The files are elsewhere: the volume works without its directory, which may not have been restored
                // with the database.
                do throws(Errno) { try Files.makeDirectory(local.directory(of: name), mode: 0o701) } catch .fileExists {
                    // Another container was faster.
                }
                try makeFile(path)
            }
        } catch {
            throw .system("cannot make \(path): \(error)")
        }
    }

    private func makeFile(_ path: FilePath) throws(Errno) {
        try Files.open(path, [.writeOnly, .create, .noFollow], mode: 0o600).discard()
    }

    /// Notes that this is over. Blocks.
    package func endFilling(_ name: String) {
        let path = fillingPath(name)
        do throws(Errno) { try Files.remove(path) } catch .noSuchFileOrDirectory {
            // Another container has filled it as well.
        } catch {
            logger.warning("cannot remove \(path): the volume will be looked at once more: \(error)")
        }
    }

    /// Whether a daemon was killed while it filled the volume. Blocks.
    package func isHalfFilled(_ name: String) -> Bool { Files.exists(fillingPath(name)) }

    private func fillingPath(_ name: String) -> FilePath {
        local.directory(of: name).appending(LocalDriver.fillingName)
    }
}
