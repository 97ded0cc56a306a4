import LinuxKernel
import SystemPackage

// How a control group goes.
extension Cgroup {
    /// Removes the group and all groups in it, killing whatever is still inside. Does nothing if there is none.
    package func remove() throws(CgroupError) {
        guard var failure = removeTrees() else { return }
        // Something is left: kill it, then wait for it to be gone, at first briefly. What cannot be killed is told
        // below.
        try? signalAll(9)
        var milliseconds: Int32 = 1
        while milliseconds < 1000 {
            guard let next = removeTrees() else { return }
            failure = next
            // A mere pause: if a signal cuts it short, the next look comes sooner.
            Poll.pause(milliseconds: milliseconds)
            milliseconds *= 2
        }
        throw failure
    }

    /// Tries to remove the group in every hierarchy; the first error.
    private func removeTrees() -> CgroupError? {
        var failure: CgroupError?
        for directory in directories {
            do throws(CgroupError) {
                try Self.removeTree(directory)
            } catch {
                failure = failure ?? error
            }
        }
        return failure
    }

    /// Removes the group if no process is in it; waits a little for processes that are about to end, and kills none.
    package func removeUnpopulated() {
        var milliseconds: Int32 = 1
        while milliseconds < 200 {
            var isBusy = false
            for directory in directories {
                do throws(Errno) {
                    try Files.removeDirectory(directory)
                } catch .resourceBusy {
                    isBusy = true
                } catch {
                    // The directory does not exist.
                }
            }
            guard isBusy else { return }
            Poll.pause(milliseconds: milliseconds)
            milliseconds *= 2
        }
    }

    private static func removeTree(_ directory: FilePath) throws(CgroupError) {
        do throws(Errno) {
            do {
                try Files.removeDirectory(directory)
            } catch .noSuchFileOrDirectory {
                return
            } catch .resourceBusy {
                for child in try children(of: directory) {
                    do throws(CgroupError) { try removeTree(child) } catch { throw error.errno ?? .resourceBusy }
                }
                do { try Files.removeDirectory(directory) } catch .noSuchFileOrDirectory {}
            }
        } catch {
            throw CgroupError("rmdir \(directory)", error)
        }
    }
}
