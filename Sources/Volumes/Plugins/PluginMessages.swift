import JSON

/// The documents of Docker's protocol for volume plugins, version 1, by the names of its calls.
enum PluginMessages {
    /// What a plugin does, as it says when it is asked first (`Plugin.Activate`).
    struct Manifest: Decodable {
        var Implements: [String]?
    }

    /// `Create`.
    struct Creation: Encodable {
        var Name: String
        var Opts: [String: String]
    }

    /// All calls about a volume.
    struct Named: Encodable {
        var Name: String
    }

    /// `Mount` and `Unmount`.
    struct Use: Encodable {
        var Name: String
        var ID: String
    }

    /// `List` and `Capabilities`.
    struct Nothing: Encodable {}

    /// What every answer may have.
    struct Outcome: Decodable {
        var Err: String?
    }

    /// Of `Mount` and `Path`.
    struct Place: Decodable {
        var Mountpoint: String?
        var Err: String?
    }

    /// A volume of `Get` and `List`.
    struct Sighting: Decodable {
        var Name: String?
        var Mountpoint: String?
        var CreatedAt: String?
        var Status: JSONValue?
    }

    /// Of `Get`.
    struct Found: Decodable {
        var Volume: Sighting?
        var Err: String?
    }

    /// Of `List`.
    struct All: Decodable {
        var Volumes: [Sighting]?
        var Err: String?
    }

    /// Of `Capabilities`.
    struct Abilities: Decodable {
        struct Scope: Decodable {
            var Scope: String?
        }

        var Capabilities: Scope?
        var Err: String?
    }
}
