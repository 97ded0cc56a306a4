import Addresses

/// Which of a container's networks its default routes use.
enum GatewayChoice {
    /// An endpoint as a candidate.
    struct Candidate: Sendable {
        let endpoint: Endpoint
        let network: Network

        /// Whether there is a way out by way of it.
        func leads(_ family: IPAddress.Family) -> Bool {
            Attachment.defaultRoute(family, endpoint, network, 0) != nil
        }
    }

    /// By Docker's order: the greatest priority, then networks with a way out, then those with more families, then the
    /// first by name.
    static func choose(_ family: IPAddress.Family, _ candidates: [Candidate]) -> Candidate? {
        candidates.sorted { left, right in
            if left.endpoint.gatewayPriority != right.endpoint.gatewayPriority {
                return left.endpoint.gatewayPriority > right.endpoint.gatewayPriority
            }
            if left.network.isInternal != right.network.isInternal { return right.network.isInternal }
            let (ways, others) = (families(left), families(right))
            if ways != others { return ways > others }
            return left.network.name < right.network.name
        }.first { $0.leads(family) }
    }

    private static func families(_ candidate: Candidate) -> Int {
        IPAddress.Family.allCases.count { candidate.leads($0) }
    }
}
