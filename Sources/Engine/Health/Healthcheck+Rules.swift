extension Healthcheck {
    /// The command of a check; nil if there are none.
    ///
    /// - Parameter shell: what the image's shell forms run in, if the image says so.
    package func command(shell: [String]?) -> [String]? {
        let words = Array(test.dropFirst())
        switch test.first {
        case "CMD": return words
        case "CMD-SHELL":
            let shell = shell ?? []
            return (shell.isEmpty ? ["/bin/sh", "-c"] : shell) + words
        default: return nil
        }
    }

    /// From the end of a check to the next one.
    package var effectiveInterval: Duration { Self.duration(interval, or: .seconds(30)) }
    /// How long a check may take.
    package var effectiveTimeout: Duration { Self.duration(timeout, or: .seconds(30)) }
    /// How long after a start failures do not count.
    package var effectiveStartPeriod: Duration { Self.duration(startPeriod, or: .zero) }
    /// From the end of a check to the next one during the start period.
    package var effectiveStartInterval: Duration { Self.duration(startInterval, or: .seconds(5)) }

    /// How many failures in a row make a container unhealthy.
    package var effectiveRetries: Int {
        guard let retries, retries > 0 else { return 3 }
        return retries
    }

    /// Zero stands for the default; less than that only an image can have, where nobody has checked it.
    private static func duration(_ nanoseconds: Int64?, or standard: Duration) -> Duration {
        guard let nanoseconds, nanoseconds > 0 else { return standard }
        return .nanoseconds(max(nanoseconds, 1_000_000))
    }
}

extension Duration {
    /// The whole of it.
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
