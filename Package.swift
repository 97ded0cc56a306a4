// swift-tools-version: 6.2
import PackageDescription

// Every target is compiled in the Swift 6 language mode and a warning is an error.
let strict: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]

// A fully static program: no dynamic loader, no shared library, starts in about a millisecond.
let fullyStatic: [LinkerSetting] = [.unsafeFlags(["-static-executable", "-Xlinker", "--gc-sections"])]

// A program that makes processes inside containers executes itself anew before anything else
// (Sources/CLinux/Sealing.c). And as it is mapped into memory for every container, functions of equal code are kept
// once.
let sealedEntry: [LinkerSetting] = [
    .unsafeFlags(["-Xlinker", "-e", "-Xlinker", "masu_entry", "-Xlinker", "--icf=safe"])
]

// The daemon carries the Swift runtime and Foundation inside and loads only the C libraries of the system. This is a
// linker setting and not `swift build --static-swift-stdlib` because `swift test` has no such option: this way the
// tests run the very products that `make build` makes. Modules compiled for the shared Foundation do not name its inner
// libraries.
let staticRuntime: [LinkerSetting] = [
    .unsafeFlags([
        "-static-stdlib", "-lCoreFoundation", "-l_FoundationCollections", "-l_FoundationCShims", "-l_FoundationICU",
        "-lswiftSynchronization", "-lstdc++",
    ])
]

let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let database: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

// Types such as "storage of an array of X" are looked up by a call instead of by name, which a program that lives for
// milliseconds would notice: a name costs 20 µs to take apart, and a container needs sixty of them.
let quick: [SwiftSetting] =
    strict + [.unsafeFlags(["-Xfrontend", "-disable-concrete-type-metadata-mangled-name-accessors"])]

/// A library target of the house (see ARCHITECTURE.md for the floors).
func module(
    _ name: String, _ dependencies: [Target.Dependency], swiftSettings: [SwiftSetting] = strict
) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

/// A program that is linked fully statically.
func staticProgram(
    _ name: String, _ dependencies: [Target.Dependency], linkerSettings: [LinkerSetting] = []
) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies + ["CStartup"], swiftSettings: quick,
        linkerSettings: fullyStatic + linkerSettings)
}

/// A program that only the tests use, and that is not installed.
func testProgram(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, path: "Tests/\(name)", swiftSettings: strict)
}

/// What several modules' tests need.
func testLibrary(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, path: "Tests/\(name)", swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
    name: "masu",
    products: [
        .executable(name: "masu", targets: ["masu"]),
        .executable(name: "masud", targets: ["masud"]),
        .executable(name: "masu-shim", targets: ["masu-shim"]),
        .executable(name: "masu-runtime", targets: ["masu-runtime"]),
        .executable(name: "masu-init", targets: ["masu-init"]),
        .executable(name: "masu-registry", targets: ["masu-registry"]),
        .executable(name: "masu-tls", targets: ["masu-tls"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        // Floor 0: what Swift cannot call, and what needs nothing
        .target(name: "CLinux"),
        .target(name: "CShim"),
        .target(name: "CStartup"),
        .systemLibrary(name: "CSeccomp", path: "Sources/CSeccomp"),
        .systemLibrary(name: "CCompression", path: "Sources/CCompression"),
        .systemLibrary(name: "CCrypt", path: "Sources/CCrypt"),
        .systemLibrary(name: "COpenSSL", path: "Sources/COpenSSL"),
        .systemLibrary(name: "CYAML", path: "Sources/CYAML"),

        module("Addresses", [], swiftSettings: quick),
        module("Base64", [], swiftSettings: quick),
        module("JSON", [], swiftSettings: quick),
        module("Text", [], swiftSettings: quick),

        // Floor 1
        module("BuildInformation", [], swiftSettings: quick),
        module("Failure", [], swiftSettings: quick),
        module("Flags", ["Text"], swiftSettings: quick),
        module("LinuxKernel", ["Addresses", "CLinux", system], swiftSettings: quick),
        module("OCISpec", ["JSON"], swiftSettings: quick),

        // Floor 2
        module("BlockingCalls", ["LinuxKernel"]),
        module("CDI", ["CYAML", "JSON", "LinuxKernel", "OCISpec", system]),
        module("Cgroups", ["LinuxKernel", "OCISpec", system], swiftSettings: quick),
        module("DaemonLog", ["OCISpec", logging]),
        module("DNS", ["Addresses", "LinuxKernel", system], swiftSettings: quick),
        module("DBus", ["LinuxKernel", "Text", system], swiftSettings: quick),
        module("Hashing", ["COpenSSL", "OCISpec", system]),
        module("HostLimits", ["LinuxKernel", system]),
        module("Netlink", ["Addresses", "CLinux", "LinuxKernel", system], swiftSettings: quick),
        module("Resctrl", ["LinuxKernel", "OCISpec", "JSON", system], swiftSettings: quick),
        module("Seccomp", ["LinuxKernel", "OCISpec", "CLinux", "CSeccomp", system], swiftSettings: quick),
        module("Tar", ["LinuxKernel", "CLinux", system]),
        module("TLS", ["COpenSSL", "LinuxKernel", system, .product(name: "NIOCore", package: "swift-nio")]),

        // Floor 3
        module("Archive", ["Tar", "CCompression", system]),
        module(
            "ContainerRuntime",
            [
                "Cgroups", "DBus", "Failure", "Netlink", "Resctrl", "Seccomp", "LinuxKernel", "CLinux", "OCISpec",
                "JSON",
                "Text", "BuildInformation", system,
            ],
            swiftSettings: quick),
        module("CNI", ["Addresses", "Failure", "JSON", "LinuxKernel", "Text", system]),
        module("ContentStore", ["Hashing", "LinuxKernel", "OCISpec", "JSON", system]),
        module(
            "Distribution",
            [
                "Failure", "OCISpec", "JSON", "Base64", "LinuxKernel", "Text", "TLS", system,
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        module(
            "HTTPServing",
            [
                "Failure", "LinuxKernel", "Text", "TLS", system, .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        module(
            "PublishedPorts", ["Addresses", "Netlink", "LinuxKernel", "JSON", system], swiftSettings: quick),
        module("Snapshots", ["Tar", "Hashing", "LinuxKernel", "CLinux", "OCISpec", database, system]),

        // Floor 4
        module(
            "ShimProtocol",
            ["DNS", "Failure", "Cgroups", "LinuxKernel", "OCISpec", "JSON", "PublishedPorts", system],
            swiftSettings: quick),
        module(
            "Images",
            [
                "Failure", "BlockingCalls", "ContentStore", "Distribution", "Snapshots", "Archive", "Tar", "OCISpec",
                "JSON", "Hashing", "Text", "LinuxKernel", database, logging, system,
            ]),

        module(
            "Networks",
            [
                "Addresses", "BlockingCalls", "CNI", "DNS", "Failure", "Hashing", "JSON", "LinuxKernel", "Netlink",
                "OCISpec", "PublishedPorts", "Text", database, logging, system,
            ]),

        module(
            "Volumes",
            [
                "Addresses", "BlockingCalls", "Failure", "Flags", "JSON", "LinuxKernel", "OCISpec", "Text", database,
                logging, system,
            ]),

        // Floor 5
        module(
            "Tasks",
            [
                "DNS", "Failure", "BlockingCalls", "Cgroups", "PublishedPorts", "ShimProtocol", "OCISpec", "JSON",
                "LinuxKernel", logging, system,
            ]),

        // Floor 6
        module(
            "Engine",
            [
                "Addresses", "DNS", "Failure", "BlockingCalls", "Networks", "PublishedPorts", "Tasks", "Distribution",
                "Images", "Snapshots", "Archive", "Tar", "Cgroups", "Hashing",
                "ShimProtocol", "OCISpec", "JSON", "Text", "LinuxKernel", "BuildInformation", "Volumes", "CDI",
                database, logging, system,
            ]),

        module("EngineAPIModel", ["JSON"], swiftSettings: quick),
        module(
            "Registry",
            [
                "Failure", "BlockingCalls", "HTTPServing", "Distribution", "ContentStore", "OCISpec", "JSON", "Base64",
                "LinuxKernel", "CCrypt", "Hashing", "Text", database, logging, system,
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),

        // Floor 7
        module(
            "EngineAPI",
            [
                "Addresses", "Failure", "Cgroups", "Engine", "HostLimits", "Networks", "PublishedPorts", "Tasks",
                "EngineAPIModel", "HTTPServing", "Distribution", "Images", "OCISpec", "JSON", "Base64", "Text",
                "BuildInformation", "LinuxKernel", "Volumes", logging, system,
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),

        module(
            "Shim",
            [
                "Addresses", "ContainerRuntime", "DNS", "ShimProtocol", "PublishedPorts", "Netlink", "Cgroups",
                "Failure", "LinuxKernel", "CShim", "OCISpec", "JSON", "Text", "BuildInformation", system,
            ],
            swiftSettings: quick),
        module(
            "MasuCommand",
            [
                "Addresses", "Base64", "DNS", "EngineAPIModel", "Tar", "LinuxKernel", "Flags", "JSON", "OCISpec",
                "Text", "BuildInformation", system,
            ],
            swiftSettings: quick),

        // Floor 8: composition roots
        .executableTarget(
            name: "masud",
            dependencies: [
                "Addresses", "BlockingCalls", "CDI", "EngineAPI", "HTTPServing", "DaemonLog", "Distribution", "Engine",
                "Images",
                "Networks", "PublishedPorts", "Snapshots", "ContentStore", "Flags", "JSON", "LinuxKernel", "TLS",
                "Volumes", "BuildInformation", database, logging, system,
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: strict, linkerSettings: staticRuntime),
        .executableTarget(
            name: "masu-registry",
            dependencies: [
                "Registry", "Distribution", "HTTPServing", "DaemonLog", "Flags", "LinuxKernel", "BuildInformation",
                "TLS", logging, system,
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: strict, linkerSettings: staticRuntime),
        // Not static, because OpenSSL is the system's.
        .executableTarget(
            name: "masu-tls", dependencies: ["BuildInformation", "Flags", "LinuxKernel", "TLS", system],
            swiftSettings: strict, linkerSettings: staticRuntime),
        staticProgram("masu", ["MasuCommand"]),
        staticProgram("masu-shim", ["Shim"], linkerSettings: sealedEntry),
        staticProgram(
            "masu-runtime",
            [
                "ContainerRuntime", "Cgroups", "Resctrl", "LinuxKernel", "OCISpec", "JSON", "Text", "Flags",
                "Seccomp", "BuildInformation", system,
            ],
            linkerSettings: sealedEntry),
        staticProgram("masu-init", ["CLinux", "BuildInformation"]),

        // Tests mirror the modules
        testLibrary("TemporaryDirectories", ["LinuxKernel", system]),
        testLibrary(
            "FaultyRegistry",
            [
                "HTTPServing", "Hashing", "LinuxKernel", "OCISpec", "JSON", "Base64", "Text", "TLS", system,
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        tests(
            "DistributionTests",
            [
                "Distribution", "FaultyRegistry", "Hashing", "Base64", "LinuxKernel", "OCISpec", "JSON", system,
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        tests("AddressesTests", ["Addresses"]),
        tests("DaemonLogTests", ["DaemonLog", "OCISpec"]),
        tests("FailureTests", ["Failure"]),
        tests("HostLimitsTests", ["HostLimits", "LinuxKernel", "TemporaryDirectories", system]),
        tests("HashingTests", ["Hashing", "OCISpec", system]),
        tests("JSONTests", ["JSON"]),
        tests("TextTests", ["Text"]),
        tests(
            "TLSTests",
            [
                "Addresses", "TLS", "COpenSSL", "BlockingCalls", "LinuxKernel", system,
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),
        tests("FlagsTests", ["Flags"]),
        tests("EngineAPIModelTests", ["EngineAPIModel", "JSON"]),
        tests("MasuTests", ["MasuCommand", "Addresses", "Base64", "DNS", "EngineAPIModel", "Flags", "JSON", "Text"]),
        tests("OCISpecTests", ["OCISpec", "JSON"]),
        tests(
            "HTTPServingTests",
            [
                "HTTPServing", "BlockingCalls", "LinuxKernel", system, .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        tests(
            "RegistryTests",
            [
                "Registry", "Distribution", "HTTPServing", "ContentStore", "Hashing", "OCISpec", "JSON", "LinuxKernel",
                logging,
                system, .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        tests(
            "EngineAPITests",
            [
                "Addresses", "BuildInformation", "EngineAPI", "HTTPServing", "Engine", "Images", "EngineAPIModel",
                "PublishedPorts", "OCISpec", "JSON", "LinuxKernel", "Volumes",
                logging, system, .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        tests(
            "EngineTests",
            [
                "Addresses", "DNS", "Engine", "BlockingCalls", "Images", "Networks", "PublishedPorts", "Snapshots",
                "Archive", "Tar", "LinuxKernel", "OCISpec", "TemporaryDirectories", "JSON", "Text", "Volumes", database,
                logging, system,
            ]),
        testProgram("FakeShim", ["ShimProtocol", "LinuxKernel", "OCISpec", "JSON", system]),
        tests(
            "TasksTests",
            [
                "Tasks", "ShimProtocol", "BlockingCalls", "LinuxKernel", "OCISpec", "JSON", "TemporaryDirectories",
                logging, system,
            ]),
        tests("ShimProtocolTests", ["Addresses", "DNS", "PublishedPorts", "ShimProtocol", "OCISpec", "JSON"]),
        tests(
            "ShimTests",
            [
                "Addresses", "DNS", "PublishedPorts", "Netlink", "Shim", "ShimProtocol", "LinuxKernel", "OCISpec",
                "JSON", "Text", "TemporaryDirectories", system,
            ]),
        tests("OCISpecImageTests", ["OCISpec", "JSON"]),
        tests("ArchiveTests", ["Archive", "Tar", "LinuxKernel", "TemporaryDirectories", system]),
        tests("SnapshotsTests", ["Snapshots", "ContainerRuntime", "Archive", "Tar", "LinuxKernel", database, system]),
        tests(
            "ImagesTests",
            [
                "Images", "Distribution", "FaultyRegistry", "Archive", "Tar", "Snapshots", "ContentStore", "OCISpec",
                "JSON", "Hashing", "LinuxKernel", database, logging, system,
            ]),
        tests("OCISpecRuntimeTests", ["OCISpec", "JSON"]),
        tests("LinuxKernelTests", ["LinuxKernel", system]),
        tests("CNITests", ["CNI", "Addresses", "JSON", "LinuxKernel", "TemporaryDirectories", system]),
        tests("CDITests", ["CDI", "JSON", "OCISpec", "TemporaryDirectories", system]),
        tests("CgroupsTests", ["Cgroups", "LinuxKernel", "OCISpec", system]),
        tests("DNSTests", ["DNS", "Addresses", "LinuxKernel", system]),
        tests("DBusTests", ["DBus", "LinuxKernel", system]),
        tests(
            "PublishedPortsTests", ["Addresses", "PublishedPorts", "Netlink", "LinuxKernel", "JSON", system]),
        tests("NetlinkTests", ["Addresses", "JSON", "LinuxKernel", "Netlink", system]),
        tests(
            "NetworksTests",
            [
                "Networks", "Addresses", "BlockingCalls", "DNS", "Failure", "LinuxKernel", "Netlink", "OCISpec",
                "PublishedPorts", database, logging, system,
            ]),
        tests(
            "VolumesTests",
            [
                "Volumes", "Addresses", "BlockingCalls", "Failure", "JSON", "LinuxKernel", "OCISpec",
                "TemporaryDirectories", database, logging, system,
            ]),
        tests("ResctrlTests", ["Resctrl", "LinuxKernel", "OCISpec", system]),
        tests("SeccompTests", ["Seccomp", "LinuxKernel", "OCISpec", system]),
        testProgram("PodShim", ["Shim", "LinuxKernel", system]),
        testProgram("RuntimeCycles", ["ContainerRuntime", "LinuxKernel", "OCISpec", system]),
        tests(
            "ContainerRuntimeTests",
            [
                "ContainerRuntime", "Cgroups", "DBus", "LinuxKernel", "OCISpec", "JSON", "TemporaryDirectories", system,
            ]),
        tests("MasudTests", []),
        tests("IntegrationTests", ["Addresses", "LinuxKernel", system]),
    ]
)

// Programs only: `make build` compiles nothing that only the tests use, and `make demo` does without the registry and
// without daemons on other machines.
if let programs = Context.environment["MASU_PROGRAMS"] {
    package.targets.removeAll { $0.path?.hasPrefix("Tests/") == true || $0.type == .test }
    if programs == "demo" {
        package.products.removeAll { ["masu-registry", "masu-tls"].contains($0.name) }
        package.targets.removeAll { ["masu-registry", "masu-tls", "Registry"].contains($0.name) }
    }
}

// Some tests only: `make test-only T=NetlinkTests,TextTests` compiles neither the others nor what only they need. The
// name of a program compiles that program.
if let names = Context.environment["MASU_TESTS"]?.split(separator: ",").map(String.init) {
    var needed = Set(names)
    if needed.contains("IntegrationTests") { needed.formUnion(package.products.map(\.name)) }
    // These run them.
    if needed.contains("TasksTests") { needed.formUnion(["FakeShim", "masu-shim"]) }
    if needed.contains("ShimTests") { needed.formUnion(["PodShim", "masu-shim"]) }
    if needed.contains("ContainerRuntimeTests") { needed.formUnion(["RuntimeCycles", "masu-runtime"]) }
    var open = Array(needed)
    while let name = open.popLast() {
        guard let target = package.targets.first(where: { $0.name == name }) else { continue }
        for dependency in target.dependencies {
            if case .byNameItem(let other, _) = dependency, needed.insert(other).inserted { open.append(other) }
        }
    }
    package.products.removeAll { !needed.contains($0.name) }
    package.targets.removeAll { !needed.contains($0.name) }
}

// Fuzzing (`make fuzz`, which builds elsewhere): everything with libFuzzer's instruments, and programs that use them.
if let fuzzer = Context.environment["MASU_FUZZER"] {
    for target in package.targets where target.type == .regular {
        target.swiftSettings?.append(.unsafeFlags(["-sanitize=fuzzer"]))
    }
    func fuzzProgram(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
        .executableTarget(
            name: name, dependencies: dependencies + ["CFuzzer"], path: "Fuzz/\(name)", swiftSettings: strict,
            linkerSettings: [.unsafeFlags([fuzzer]), .linkedLibrary("stdc++")])
    }
    package.targets += [
        .target(name: "CFuzzer", path: "Fuzz/CFuzzer"),
        fuzzProgram("FuzzTar", ["Archive"]),
        fuzzProgram("FuzzDNS", ["Addresses", "DNS"]),
        fuzzProgram("FuzzNetlink", ["Addresses", "Netlink"]),
        fuzzProgram("FuzzReference", ["OCISpec"]),
    ]
}
