import Glibc
import LinuxKernel
import SystemPackage

/// Reads what a control group has used, again and again.
///
/// The files stay open: looking their paths up would cost more than reading them. A group that is removed meanwhile
/// takes no harm, but its sampler should go, too.
package final class CgroupSampler: Sendable {
    private enum File: Int, CaseIterable {
        case perCPU, cpuTimes, cpuStat
        case memoryUsage, memoryMaximum, memoryLimit, memoryFailures, memoryStat
        case pids, pidsLimit
    }

    private let isUnified: Bool
    /// By `File`; nil for what this kernel, or its controllers, do not have.
    private let files: [FileDescriptor?]
    /// By `CgroupSample.BlockList`.
    private let blockFiles: [FileDescriptor?]

    /// Opens the files of a group.
    ///
    /// - Throws: if the group does not exist.
    package init(_ cgroup: Cgroup) throws(CgroupError) {
        guard let directory = cgroup.directories.first, cgroup.directories.contains(where: { Files.exists($0) }) else {
            throw CgroupError("the control group \(cgroup.path) does not exist")
        }
        isUnified = cgroup.isUnified
        func open(_ controller: String, _ names: [String]) -> FileDescriptor? {
            guard let place = cgroup.isUnified ? directory : cgroup.directory(of: controller) else { return nil }
            // A figure that this kernel does not have is left out.
            return names.lazy.compactMap { try? Files.open(place.appending($0), .readOnly) }.first
        }
        let unified = cgroup.isUnified
        files = File.allCases.map { file in
            switch file {
            case .perCPU: unified ? nil : open("cpuacct", ["cpuacct.usage_percpu"])
            case .cpuTimes: unified ? nil : open("cpuacct", ["cpuacct.stat"])
            case .cpuStat: open("cpu", ["cpu.stat"])
            case .memoryUsage: open("memory", [unified ? "memory.current" : "memory.usage_in_bytes"])
            case .memoryMaximum: unified ? nil : open("memory", ["memory.max_usage_in_bytes"])
            case .memoryLimit: open("memory", [unified ? "memory.max" : "memory.limit_in_bytes"])
            case .memoryFailures: open("memory", [unified ? "memory.events" : "memory.failcnt"])
            case .memoryStat: open("memory", ["memory.stat"])
            case .pids: open("pids", ["pids.current"])
            case .pidsLimit: open("pids", ["pids.max"])
            }
        }
        blockFiles = CgroupSample.BlockList.allCases.map { list in
            if unified { return list == .bytes ? open("io", ["io.stat"]) : nil }
            // BFQ's figures, where it counts, and those of schedulers that newer kernels do not have.
            func names(_ name: String) -> [String] { ["blkio.bfq.\(name)_recursive", "blkio.\(name)_recursive"] }
            return switch list {
            case .bytes: open("blkio", ["blkio.throttle.io_service_bytes_recursive"] + names("io_service_bytes"))
            case .operations: open("blkio", ["blkio.throttle.io_serviced_recursive"] + names("io_serviced"))
            case .queued: open("blkio", names("io_queued"))
            case .serviceTime: open("blkio", names("io_service_time"))
            case .waitTime: open("blkio", names("io_wait_time"))
            case .merged: open("blkio", names("io_merged"))
            case .time: open("blkio", names("time"))
            case .sectors: open("blkio", names("sectors"))
            }
        }
    }

    deinit {
        for file in files + blockFiles { file?.discard() }
    }

    /// The numbers as they are now; nil if the group has gone. Reads files of the kernel, which does not block.
    ///
    /// - Parameter buffer: memory for one file after the other, so that not every file needs its own; some 16 KiB.
    package func sample(using buffer: inout [UInt8]) -> CgroupSample? {
        var sample = CgroupSample(isUnified: isUnified)
        var isGone = false
        func read(_ file: FileDescriptor?, _ body: (CgroupText) -> Void) {
            guard let file else { return }
            let count = buffer.withUnsafeMutableBytes { pread(file.rawValue, $0.baseAddress, $0.count, 0) }
            guard count >= 0 else {
                if errno == ENODEV { isGone = true }
                return
            }
            buffer.withUnsafeBytes { body(CgroupText(UnsafeRawBufferPointer(rebasing: $0[..<count]))) }
        }
        func number(_ file: File, none: UInt64 = .max) -> UInt64 {
            var result: UInt64 = 0
            read(files[file.rawValue]) { result = $0.number ?? none }
            return result
        }
        if isUnified {
            read(files[File.cpuStat.rawValue]) { text in
                text.forEachLine { name, value in
                    switch name.count {
                    case 10 where name == "usage_usec": sample.cpuTotal = value * 1000
                    case 9 where name == "user_usec": sample.cpuUser = value * 1000
                    case 11 where name == "system_usec": sample.cpuSystem = value * 1000
                    case 10 where name == "nr_periods": sample.periods = value
                    case 12 where name == "nr_throttled": sample.throttledPeriods = value
                    case 14 where name == "throttled_usec": sample.throttledTime = value * 1000
                    default: break
                    }
                }
            }
            read(files[File.memoryFailures.rawValue]) { text in
                text.forEachLine { name, value in if name == "oom" { sample.memoryFailures = value } }
            }
            sample.pidsLimit = number(.pidsLimit)
        } else {
            read(files[File.perCPU.rawValue]) { sample.perCPU = $0.numbers }
            sample.cpuTotal = sample.perCPU.reduce(0, &+)
            // Hundredths of a second, whatever the kernel counts in.
            read(files[File.cpuTimes.rawValue]) { text in
                text.forEachLine { name, value in
                    if name == "user" { sample.cpuUser = value * 10_000_000 }
                    if name == "system" { sample.cpuSystem = value * 10_000_000 }
                }
            }
            read(files[File.cpuStat.rawValue]) { text in
                text.forEachLine { name, value in
                    if name == "nr_periods" { sample.periods = value }
                    if name == "nr_throttled" { sample.throttledPeriods = value }
                    if name == "throttled_time" { sample.throttledTime = value }
                }
            }
            sample.memoryMaximum = number(.memoryMaximum)
            sample.memoryFailures = number(.memoryFailures)
            sample.pidsLimit = number(.pidsLimit, none: 0)
        }
        sample.memoryUsage = number(.memoryUsage)
        sample.memoryLimit = number(.memoryLimit)
        sample.pids = number(.pids)
        read(files[File.memoryStat.rawValue]) { Self.details(of: $0, into: &sample) }
        for list in CgroupSample.BlockList.allCases {
            read(blockFiles[list.rawValue]) {
                sample.blockIO[list.rawValue] = isUnified ? $0.unifiedBlockBytes : $0.legacyBlockIO
            }
        }
        return isGone ? nil : sample
    }

    private static func details(of text: CgroupText, into sample: inout CgroupSample) {
        let names = sample.memoryNames
        // The kernel's order is another one, but lines that follow each other there often do here.
        var next = 0
        text.forEachLine { name, value in
            for step in 0..<names.count {
                let index = (next + step) % names.count
                guard name == names[index] else { continue }
                sample.memoryDetails[index] = value
                next = (index + 1) % names.count
                return
            }
        }
    }
}
