import CLinux
import Glibc
import SystemPackage

/// The device mapper, by the ioctls of /dev/mapper/control (linux/dm-ioctl.h): block devices that are put together from
/// others.
package struct DeviceMapper: Sendable {
    /// What a device is made of, from its first sector to its last.
    package struct Target: Hashable, Sendable {
        /// `thin-pool`, `thin`, …
        package var type: String
        /// The length in sectors of 512 bytes.
        package var sectors: UInt64
        /// What the type understands; as the kernel tells it, its state.
        package var parameters: String

        /// A target of so many sectors.
        package init(type: String, sectors: UInt64, parameters: String) {
            self.type = type
            self.sectors = sectors
            self.parameters = parameters
        }
    }

    /// A device that there is.
    package struct Device: Hashable, Sendable {
        /// As tables of other devices name it: `254:3`.
        package let numbers: String
        /// The device's node, which the kernel makes itself.
        package let path: FilePath
        /// How many have it open.
        package let users: Int

        init(_ answer: masu_dm_answer) {
            // The layout of the kernel's new_encode_dev, as in FileStatus.
            let major = masu_major(answer.device)
            let minor = masu_minor(answer.device)
            numbers = "\(major):\(minor)"
            path = FilePath("/dev/dm-\(minor)")
            users = Int(answer.open_count)
        }
    }

    /// A descriptor that is closed with its last owner.
    private final class Control: Sendable {
        let descriptor: FileDescriptor

        init() throws(Errno) {
            descriptor = try Files.open("/dev/mapper/control", .readWrite)
        }

        deinit {
            descriptor.discard()
        }
    }

    private let control: Control

    private static let statusTableFlag = UInt32(DM_STATUS_TABLE_FLAG)
    private static let noFlushFlag = UInt32(DM_NOFLUSH_FLAG)

    /// Opens the control device, which loads the module where it is one. `ENOENT`, `ENODEV` without a device mapper.
    package init() throws(Errno) {
        control = try Control()
    }

    /// What the kernel has to say of the device `name`; `nil` if there is none.
    package func device(_ name: String) throws(Errno) -> Device? {
        do throws(Errno) {
            return Device(try command(DM_DEV_STATUS_CMD, name).answer)
        } catch .noSuchAddressOrDevice {
            return nil
        }
    }

    /// Makes the device `name` of one target, and starts it. Undone if that fails.
    package func create(_ name: String, _ target: Target) throws(Errno) -> Device {
        _ = try command(DM_DEV_CREATE_CMD, name)
        do throws(Errno) {
            var payload: [UInt8] = []
            // struct dm_target_spec: first sector, length, status, offset of the next one, type; then the parameters.
            payload.appendNumber(UInt64(0))
            payload.appendNumber(target.sectors)
            payload.appendNumber(UInt32(0))
            payload.appendNumber(UInt32(0))
            let type = Array(target.type.utf8.prefix(15))
            payload += type + [UInt8](repeating: 0, count: 16 - type.count)
            payload += Array(target.parameters.utf8) + [0]
            payload += [UInt8](repeating: 0, count: -payload.count & 7)
            _ = try command(DM_TABLE_LOAD_CMD, name, targets: 1, payload)
            return Device(try command(DM_DEV_SUSPEND_CMD, name).answer)
        } catch {
            try? remove(name)  // the first error is the one to tell
            throw error
        }
    }

    /// Removes the device `name`; `EBUSY` while anyone has it open. One that does not exist is no error.
    package func remove(_ name: String) throws(Errno) {
        do throws(Errno) {
            _ = try command(DM_DEV_REMOVE_CMD, name)
        } catch .noSuchAddressOrDevice {}
    }

    /// Sends a message to the only target of the device `name`.
    package func send(_ message: String, to name: String) throws(Errno) {
        var payload: [UInt8] = []
        payload.appendNumber(UInt64(0))
        payload += Array(message.utf8) + [0]
        _ = try command(DM_TARGET_MSG_CMD, name, payload)
    }

    /// The state of the only target of the device `name`, or with `isTable` what it was made of.
    package func status(_ name: String, isTable: Bool = false) throws(Errno) -> Target {
        let (answer, bytes) = try command(
            DM_TABLE_STATUS_CMD, name, flags: isTable ? Self.statusTableFlag : Self.noFlushFlag)
        let start = Int(answer.start)
        guard answer.target_count == 1, bytes.count >= start + 40 else { throw .ioError }
        let sectors = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: start + 8, as: UInt64.self) }
        func text(_ from: Int) -> String {
            String(decoding: bytes[from...].prefix { $0 != 0 }, as: UTF8.self)
        }
        return Target(type: text(start + 24), sectors: sectors, parameters: text(start + 40))
    }

    private func command(
        _ number: Int, _ name: String, flags: UInt32 = 0, targets: UInt32 = 0, _ payload: [UInt8] = []
    ) throws(Errno) -> (answer: masu_dm_answer, bytes: [UInt8]) {
        let header = MemoryLayout<dm_ioctl>.size
        var buffer = [UInt8](repeating: 0, count: max(16384, header + payload.count))
        buffer.replaceSubrange(header..<(header + payload.count), with: payload)
        var answer = masu_dm_answer()
        let capacity = UInt32(buffer.count)
        let result = buffer.withUnsafeMutableBytes { buffer in
            name.withCString {
                masu_dm(
                    control.descriptor.rawValue, UInt32(number), $0, flags, targets, buffer.baseAddress, capacity,
                    &answer)
            }
        }
        try checked(result)
        return (answer, buffer)
    }
}

extension [UInt8] {
    fileprivate mutating func appendNumber(_ number: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: number) { append(contentsOf: $0) }
    }
}
