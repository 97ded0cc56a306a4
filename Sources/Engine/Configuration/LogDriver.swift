/// The drivers that keep a container's output, by Docker's names.
///
/// To add a driver:
/// 1. Add a case here, and the driver's options to `LogSettings`; `LogWire` reads and checks their texts. The lists of
///    drivers in flags, errors and `docker info` come from this type.
/// 2. Add the case to `LogConfiguration.Driver` in `ShimProtocol`, with all that the shim has to know.
///    `LaunchPlan.log` makes the one from the other.
/// 3. Write the driver beside `JSONFileLog` in `Sources/Shim/Log`: the shim writes every log, so that none depends on
///    the daemon. `Launch.openLog` makes it; `ProcessStreams` writes to it. As there is one driver so far, both name
///    `JSONFileLog`: the second one comes with a protocol of what they call.
/// 4. If `docker logs` can read it, let `LogReader` do so; otherwise say so where `Container.logs` and the list of
///    containers ask for `.none`.
///
/// The compiler asks for steps 2 and 3: both places switch over all cases.
package enum LogDriver: String, Hashable, Sendable, Codable, CaseIterable {
    /// Files of JSON lines.
    case jsonFile = "json-file"
    /// The output is not kept.
    case none

    /// All names, as help texts and errors list them.
    package static var list: String { allCases.map(\.rawValue).joined(separator: " or ") }
}
