import CLinux
import Glibc
import SystemPackage

/// A block device that shows a file; loop(4).
package struct LoopDevice: Sendable {
    /// Keeps the device. The kernel closes the file when the last descriptor of the device is closed.
    package let descriptor: FileDescriptor
    /// `/dev/loop0` and so on.
    package let path: FilePath

    /// Opens a block device that is there already, in place of a loop device.
    package init(open path: FilePath) throws(Errno) {
        descriptor = try Files.open(path, .readWrite)
        self.path = path
    }

    private init(descriptor: FileDescriptor, path: FilePath) {
        self.descriptor = descriptor
        self.path = path
    }

    /// Takes a free device for the file at `path`.
    package static func attach(_ file: FilePath, readOnly: Bool) throws(Errno) -> LoopDevice {
        let backing = try Files.open(file, readOnly ? .readOnly : .readWrite)
        defer { backing.discard() }
        let control = try Files.open("/dev/loop-control", .readWrite)
        defer { control.discard() }
        while true {
            let number = try checked(masu_loop_free(control.rawValue))
            let path = FilePath("/dev/loop\(number)")
            let device = try Files.open(path, readOnly ? .readOnly : .readWrite)
            do throws(Errno) {
                try checked(
                    file.withPlatformString {
                        masu_loop_configure(device.rawValue, backing.rawValue, readOnly ? 1 : 0, $0)
                    })
                return LoopDevice(descriptor: device, path: path)
            } catch .resourceBusy {
                // Somebody else was faster.
                device.discard()
            } catch {
                device.discard()
                throw error
            }
        }
    }
}
