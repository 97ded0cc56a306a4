/// The command line of this process as it was given; `CommandLine.arguments` sets more of the runtime in motion than a
/// short start of this program.
enum ProcessArguments {
    /// The program as it was called, with its path or without.
    static var program: String { CommandLine.unsafeArgv[0].map { String(cString: $0) } ?? "masu" }

    /// Everything after the program.
    static var all: [String] {
        (1..<max(1, Int(CommandLine.argc))).compactMap { index in
            CommandLine.unsafeArgv[index].map { String(cString: $0) }
        }
    }

    /// Whether the program was called `docker`: by a link, for programs that look for that name.
    static var isCalledDocker: Bool { program.split(separator: "/").last == "docker" }
}
