import ContainerRuntime
import Glibc
import LinuxKernel
import OCISpec
import SystemPackage

// Makes and removes containers one after the other in this one process, as a shim or any other user of the library that
// lives long would, and says what the process holds at the end that it did not hold after the first ones.
//
//     RuntimeCycles BUNDLE STATE-DIRECTORY COUNT
//
// A program of its own because the library forks, which a test program with its threads must not do.

/// Descriptors that are open.
func descriptors() throws -> Int { try Files.names(in: "/proc/self/fd").count }

/// KiB of memory that are this process's own.
func memory() throws -> Int {
    for line in try Files.readText("/proc/self/smaps_rollup").split(separator: "\n")
    where line.hasPrefix("Private_Dirty") {
        return line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    }
    return 0
}

func cycle(_ number: Int, _ runtime: ContainerRuntime, _ bundle: FilePath, _ spec: Spec) throws {
    let id = "cycle-\(getpid())-\(number)"
    let container = try runtime.create(id: id, bundle: bundle, spec: spec)
    try runtime.start(id, spec: spec)
    if number.isMultiple(of: 4) {
        var process = Process(args: ["true"], env: ["PATH=/bin"])
        process.capabilities = spec.process?.capabilities
        let other = try runtime.exec(id, process: process)
        _ = try ProcessControl.wait(for: other.pid)
    }
    if number.isMultiple(of: 5) {
        var broken = spec
        broken.process?.args = ["no-such-program"]
        do {
            _ = try runtime.create(id: id + "-broken", bundle: bundle, spec: broken)
        } catch {
            // As it must be.
        }
    }
    try runtime.kill(id, signal: 9)
    _ = try ProcessControl.wait(for: container.pid)
    try runtime.delete(id, spec: spec)
}

let words = CommandLine.arguments
guard words.count == 4, let count = Int(words[3]) else {
    print("usage: RuntimeCycles BUNDLE STATE-DIRECTORY COUNT")
    exit(2)
}
do {
    let bundle = FilePath(words[1])
    let runtime = ContainerRuntime(root: FilePath(words[2]))
    var spec = try ContainerRuntime.configuration(of: bundle)
    // Each gets a control group of its own name.
    spec.linux?.cgroupsPath = "/masu-runtime-test/cycle-\(getpid())"
    // What is made once and kept (metadata, buffers of the allocator) is there after some rounds.
    for number in 0..<20 { try cycle(number, runtime, bundle, spec) }
    let (heldDescriptors, heldMemory) = (try descriptors(), try memory())
    for number in 20..<(20 + count) { try cycle(number, runtime, bundle, spec) }
    let more = try descriptors() - heldDescriptors
    print("descriptors \(more)")
    print("memory \(try memory() - heldMemory)")
    if more != 0 {
        for name in try Files.names(in: "/proc/self/fd") {
            // The listing's own is closed by now.
            print((try? FileDescriptor.workingDirectory.readSymlink("/proc/self/fd/\(name)")) ?? "closed")
        }
    }
} catch {
    print("\(error)")
    exit(1)
}
