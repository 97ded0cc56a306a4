// Asks a resolver whatever comes, takes it for a server's answer, and for a file of names.
import Addresses
import CFuzzer
import DNS
import Glibc

/// A network with some names, and one that is whatever comes.
private let endpoints = [
    NamedEndpoint(names: ["web", "www", "a.b.c"], addresses: [IPAddress(.ipv4, 0x0A00_0002), IPAddress(.ipv6, 2)]),
    NamedEndpoint(names: ["db", "www"], addresses: [IPAddress(.ipv4, 0x0A00_0003)]),
]
private let image = NameTableWriter.image(of: endpoints, generation: 1)
// There is one thread.
nonisolated(unsafe) private let good = table(image.withUnsafeBytes { copy($0) })
private let names = ["web", "www", "a.b.c", "db", "nobody"].compactMap { DomainName($0) }

private func copy(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    copy.copyMemory(from: bytes)
    return UnsafeRawBufferPointer(copy)
}

private func table(_ bytes: UnsafeRawBufferPointer) -> NameTable? {
    let table = try? NameTable(bytes) { $0.deallocate() }
    if table == nil { bytes.deallocate() }
    return table
}

private func resolver(_ table: NameTable?) -> Resolver {
    let network = ResolverConfiguration.Network(name: "b.c", namesFile: "", links: ["x": "web"])
    let server = ResolverConfiguration.Server(IPAddress(.ipv4, 0x0909_0909), from: .host)
    return Resolver(ResolverConfiguration(networks: [network], servers: [server])) { _ in { table } }
}

private func ask(_ bytes: UnsafeRawBufferPointer, _ transport: ResolverTransport, _ limit: Int) {
    var generator = SystemRandomNumberGenerator()
    switch resolver(good).decide(bytes, by: transport, using: &generator) {
    case .ignore: break
    case .answer(let answer):
        precondition(answer.count <= limit && answer.prefix(2).elementsEqual(bytes.prefix(2)))
        guard let message = try? DNSMessage(parsing: answer) else { preconditionFailure("no answer: \(answer)") }
        precondition(message.header.isResponse)
    case .forward(let query, let servers):
        precondition(!servers.isEmpty && query.bytes.elementsEqual(bytes))
        // A query is no answer, not even to itself.
        precondition(query.judge(bytes, id: UInt16(bytes[0]) << 8 | UInt16(bytes[1])) == .unrelated)
    }
}

/// What is read can be written, and is the same when it is read again.
private func rewrite(_ bytes: UnsafeRawBufferPointer) {
    guard let message = try? DNSMessage(parsing: bytes) else { return }
    let written = message.serialised()
    guard let again = try? DNSMessage(parsing: written) else { return precondition(written.count > 65535) }
    precondition(again.questions == message.questions)
    if !again.header.flags.contains(.truncated) { precondition(again.answers == message.answers) }
    for record in message.answers { _ = record.name.description }
}

private func lookUp(_ bytes: UnsafeRawBufferPointer) {
    guard let table = table(copy(bytes)) else { return }
    for name in names {
        for family in IPAddress.Family.allCases { _ = table.addresses(of: name, family)?.count }
    }
    for endpoint in endpoints {
        for address in endpoint.addresses {
            if let name = table.name(of: address) { precondition(name.wireFormat.count <= DomainName.maximumLength) }
        }
    }
}

var count = CommandLine.argc
var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
let status = LLVMFuzzerRunDriver(&count, &arguments) { data, size in
    let bytes = UnsafeRawBufferPointer(start: data, count: size)
    if bytes.starts(with: "masudns1".utf8) {
        lookUp(bytes)
    } else {
        ask(bytes, .udp, 65535)
        ask(bytes, .tcp, 65535)
        rewrite(bytes)
    }
    return 0
}
exit(status)
