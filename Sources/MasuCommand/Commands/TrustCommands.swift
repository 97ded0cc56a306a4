import Flags

/// `masu trust`: Docker Content Trust, which Docker itself has given up; Masu does not sign.
enum TrustCommands {
    static let group = Command(
        "trust", "Manage trust on images (not supported)", isHidden: true,
        subcommands: { ["inspect", "revoke", "sign", "key", "signer"].map(refused) })

    private static func refused(_ name: String) -> Command {
        Command(
            name, "Not supported", takesRawArguments: true,
            action: { invocation in
                throw CommandError(
                    """
                    masu: '\(invocation.commandPath)' is not supported: Masu has no Docker Content Trust
                    Hint: an image is named for good by its digest (NAME@sha256:…).
                    """)
            })
    }
}
