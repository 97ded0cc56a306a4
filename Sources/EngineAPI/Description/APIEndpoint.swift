import EngineAPIModel
import NIOHTTP1

/// One operation of the API: a method, a path, and all that is said about them. Routes have only the code.
package struct APIEndpoint: Sendable {
    /// The method.
    package let method: HTTPMethod
    /// The path with its places, such as `/containers/{name}/json`; the routes' own spelling.
    package let path: String
    /// What it does, in half a sentence.
    package let summary: String
    /// Versions that have it. Docker answers others with 400 and words of its own.
    package let versions: VersionRange
    /// Parameters of the query.
    package let parameters: [APIParameter]
    /// What the request carries.
    package let body: APIBody
    /// What a request that succeeds gets.
    package let answer: APIAnswer
    /// How it is refused where this engine does not serve it; `nil` where it does.
    package let refusal: APIRefusal?

    init(
        _ method: HTTPMethod, _ path: String, _ summary: String, versions: VersionRange = .all,
        _ parameters: [APIParameter] = [], body: APIBody = .none, answer: APIAnswer = .nothing(),
        refusal: APIRefusal? = nil
    ) {
        self.method = method
        self.path = path
        self.summary = summary
        self.versions = versions
        self.parameters = parameters
        self.body = body
        self.answer = answer
        self.refusal = refusal
    }

    /// The names of the path's places.
    var places: [String] {
        path.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }
}

/// A parameter of a query.
package struct APIParameter: Sendable {
    /// What its text spells.
    package enum Kind: Hashable, Sendable {
        /// `0`, `no`, `false`, `none` and nothing mean false, all else true.
        case flag
        case integer
        case text
        /// May be given several times.
        case texts
        /// A moment: seconds since 1970, with a fraction or not, or RFC 3339.
        case moment
        /// A JSON object of names and values: `{"label":["a=b"]}`.
        case filters
        /// A platform, as a JSON object or `os/architecture`; may be given several times.
        case platforms
    }

    let name: String
    let kind: Kind
    let meaning: String
    /// Versions that have it; in others it counts as absent.
    let versions: VersionRange
    let isNeeded: Bool

    private init(_ name: String, _ kind: Kind, _ meaning: String, _ versions: VersionRange, isNeeded: Bool = false) {
        self.name = name
        self.kind = kind
        self.meaning = meaning
        self.versions = versions
        self.isNeeded = isNeeded
    }

    static func flag(_ name: String, _ meaning: String, _ versions: VersionRange = .all) -> APIParameter {
        APIParameter(name, .flag, meaning, versions)
    }

    static func integer(_ name: String, _ meaning: String, _ versions: VersionRange = .all) -> APIParameter {
        APIParameter(name, .integer, meaning, versions)
    }

    static func text(
        _ name: String, _ meaning: String, _ versions: VersionRange = .all, isNeeded: Bool = false
    ) -> APIParameter {
        APIParameter(name, .text, meaning, versions, isNeeded: isNeeded)
    }

    static func texts(_ name: String, _ meaning: String, _ versions: VersionRange = .all) -> APIParameter {
        APIParameter(name, .texts, meaning, versions)
    }

    static func moment(_ name: String, _ meaning: String) -> APIParameter {
        APIParameter(name, .moment, meaning, .all)
    }

    static func filters(_ names: String) -> APIParameter {
        APIParameter("filters", .filters, "only what passes; known are " + names, .all)
    }

    static func platforms(_ name: String, _ meaning: String, _ versions: VersionRange = .all) -> APIParameter {
        APIParameter(name, .platforms, meaning, versions)
    }
}

/// What a request carries.
package enum APIBody: Sendable {
    case none
    /// A JSON document; without `isNeeded` there may be none.
    case document(any WireStructure.Type, isNeeded: Bool = true)
    /// A tar archive.
    case archive
}

/// What a request that succeeds gets.
package enum APIAnswer: Sendable {
    /// No body.
    case nothing(_ status: Int = 204)
    case document(any WireStructure.Type, status: Int = 200)
    case list(any WireStructure.Type)
    /// JSON documents one after the other while something goes on.
    case lines(any WireStructure.Type)
    /// JSON of which no more is said here.
    case anything(status: Int = 200)
    case text
    case archive
    /// Frames of standard output and standard error, or bytes of a terminal.
    case output
    /// The connection itself, as a stream in both directions.
    case connection
}

/// Why this engine does not serve an operation that Docker has.
package enum APIRefusal: Sendable {
    /// This version cannot; 501. The words name what.
    case notYet(String)
    /// This machine is no node of a swarm, and cannot become one; 503.
    case noSwarmManager
    case noSwarm
    /// Only volumes of a swarm can be changed; 503.
    case noClusterVolumes
    /// There are no managed plugins; 404.
    case noPlugin
    /// Images are kept for one platform each, without the index that names statements about them, like those of
    /// Docker's store of old; 501.
    case noAttestations

    var status: Int {
        switch self {
        case .notYet, .noAttestations: 501
        case .noSwarmManager, .noSwarm, .noClusterVolumes: 503
        case .noPlugin: 404
        }
    }

    /// The error for a name in the path.
    func error(_ name: String) -> APIError {
        switch self {
        case .notYet(let what): .notImplemented(what)
        case .noSwarmManager: APIError(.unavailable, Self.notAManager)
        case .noSwarm: APIError(.unavailable, "This node is not part of a swarm")
        case .noClusterVolumes:
            APIError(.unavailable, "volume update only valid for cluster volumes, but swarm is unavailable")
        case .noPlugin: APIError(.notFound, "plugin \"\(name)\" not found")
        case .noAttestations:
            APIError(.notImplemented, "the legacy image store does not support attestations")
        }
    }

    private static let notAManager =
        "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to "
        + "swarm and try again."
}
