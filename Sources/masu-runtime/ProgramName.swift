/// What this program is called in its texts: callers of runc look for that name, and a link of it may lead here.
enum ProgramName {
    static let current: String = {
        let path = CommandLine.arguments.first ?? ""
        guard let name = path.split(separator: "/").last else { return "masu-runtime" }
        return String(name)
    }()
}
