import ContainerRuntime
import Glibc
import LinuxKernel
import Synchronization
import SystemPackage
import TemporaryDirectories
import Testing

/// A part of a directory, mounted where only the container's mount namespace sees it.
@Suite("parts of directories as mounts", .enabled(if: geteuid() == 0, "mounting needs root"))
struct PartMountTests {
    private let directory: TemporaryDirectory
    private var volume: FilePath { directory.path.appending("volume") }
    private var place: FilePath { directory.path.appending("places/0") }

    init() throws {
        directory = try TemporaryDirectory()
        try Files.makeDirectory(directory.path.appending("root"))
        try directory.write("volume/sub/deep/file", "content")
        try directory.write("outside/file", "not the volume's")
    }

    /// Runs `body` where the part at `subpath` is mounted.
    private func mounted<R: Sendable>(_ subpath: String, _ body: @escaping @Sendable (FilePath) throws -> R) throws -> R
    {
        let mount = RootfsMount(type: "bind", source: volume.string, target: place.string, subpath: subpath)
        let (root, place) = (directory.path.appending("root"), place)
        return try JoinableThread(name: "part") {
            try Namespaces.mount.unshare()
            try Mounts.mount(nil, on: "/", flags: [.recursive, .private])
            try mount.mount(on: root)
            return try body(place)
        }.join()
    }

    private func refusal(_ subpath: String) -> String? {
        do {
            try mounted(subpath) { _ in }
            return nil
        } catch {
            return (error as? RuntimeError)?.message
        }
    }

    @Test("a directory or a file, and places for them are made", arguments: ["sub/deep", "sub", ".", "sub/../sub"])
    func directories(_ subpath: String) throws {
        let names = try mounted(subpath) { try Files.names(in: $0) }
        #expect(try names == Files.names(in: volume.appending(subpath)))
        // Nothing of it is where others look.
        #expect(try Files.names(in: place).isEmpty)
    }

    @Test("a file")
    func file() throws {
        #expect(try mounted("sub/deep/file") { try Files.readText($0) } == "content")
        #expect(try Files.readText(place) == "")
    }

    @Test("a link within the volume is followed; one that leads out is not, wherever it is in the path")
    func links() throws {
        try directory.link("volume/inside", to: "sub/deep")
        try directory.link("volume/absolute", to: "/etc")
        try directory.link("volume/out", to: "../outside")
        try directory.link("volume/sub/up", to: "../../outside")
        #expect(try mounted("inside") { try Files.names(in: $0) } == ["file"])
        for subpath in ["absolute", "out", "out/file", "sub/up", "absolute/passwd"] {
            #expect(
                refusal(subpath)
                    == "path concatenation escapes the base directory, base: \(volume), subpath: \(subpath)")
        }
    }

    @Test("what is not there has Docker's text")
    func missing() {
        let path = volume.appending("sub/nope").string
        #expect(refusal("sub/nope") == "cannot access path \(path): lstat \(path): no such file or directory")
    }

    @Test("whoever swaps a directory for a link to the host's root in the wrong moment gains nothing")
    func race() throws {
        try directory.write("volume/target/mark", "inside")
        let swapping = try Swapping(volume.appending("target"))
        defer { swapping.stop() }
        var outcomes: Set<String> = []
        for _ in 0..<400 {
            do {
                let names = try mounted("target") { try Files.names(in: $0) }
                outcomes.insert(names.joined(separator: ","))
            } catch let error as RuntimeError {
                outcomes.insert(error.message)
            }
        }
        #expect(outcomes.contains("mark"))
        let path = volume.appending("target").string
        let refusals = [
            "path concatenation escapes the base directory, base: \(volume), subpath: target",
            "cannot access path \(path): lstat \(path): no such file or directory",
        ]
        #expect(outcomes.subtracting(refusals) == ["mark"], "\(outcomes)")
    }

    /// A thread that goes on putting a link to `/` in the place of a directory, and the directory back.
    private final class Swapping: Sendable {
        private let isOver = Atomic(false)
        private let thread = Mutex<JoinableThread<Void>?>(nil)

        init(_ path: FilePath) throws {
            let (path, aside) = (path.string, path.string + ".aside")
            let started = try JoinableThread(name: "swap") { [self] in
                while !isOver.load(ordering: .relaxed) {
                    rename(path, aside)
                    symlink("/", path)
                    unlink(path)
                    rename(aside, path)
                }
            }
            thread.withLock { $0 = started }
        }

        func stop() {
            isOver.store(true, ordering: .relaxed)
            try? thread.withLock { $0 }?.join()
        }
    }
}
