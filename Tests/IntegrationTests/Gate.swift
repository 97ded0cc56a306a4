import Foundation

/// What containers wait for until the test lets them go on, whether or not a daemon is there.
struct Gate {
    private let directory: String

    /// A closed gate, in the daemon's root, which is removed with it.
    init(beside daemon: TestDaemon) {
        directory = daemon.root + "/gate"
        mkdir(directory, 0o755)
    }

    /// The option of `run` that brings the gate into a container.
    var option: String { "--volume=\(directory):/gate:ro" }

    /// Shell commands for a container: they wait until the gate is open.
    static let wait = "until [ -e /gate/open ]; do sleep 0.01; done"

    /// Lets all go on.
    func open() throws { try Data().write(to: URL(fileURLWithPath: directory + "/open")) }
}
