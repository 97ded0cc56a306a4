import CLinux
import SystemPackage

/// What becomes of a packet.
package enum Verdict: Hashable, Sendable {
    case accept
    case drop
    /// The next rule decides.
    case `continue`
    /// The chain that led here decides.
    case `return`
    /// The chain of this name decides, and then the next rule.
    case jump(String)
    /// The chain of this name decides, and then that which led here.
    case goTo(String)
    /// Another one (`queue`, `break`).
    case other(Int32)

    /// Reads the attributes of an `NFTA_DATA_VERDICT`.
    init(_ attributes: Attributes) throws(Errno) {
        let code: Int32 = try attributes.networkOrder(NFTA_VERDICT_CODE) ?? 0
        let chain = attributes.text(NFTA_VERDICT_CHAIN)
        switch (code, chain) {
        case (1, _): self = .accept
        case (0, _): self = .drop
        case (-1, _): self = .continue
        case (-5, _): self = .return
        case (-3, let chain?): self = .jump(chain)
        case (-4, let chain?): self = .goTo(chain)
        default: self = .other(code)
        }
    }

    /// Appends an `NFTA_DATA_VERDICT`.
    func append(to builder: inout MessageBuilder) {
        builder.nested(NFTA_DATA_VERDICT) {
            $0.networkOrder(NFTA_VERDICT_CODE, code)
            if let chain { $0.attribute(NFTA_VERDICT_CHAIN, chain) }
        }
    }

    /// The chain that it leads to.
    package var chain: String? {
        switch self {
        case .jump(let chain), .goTo(let chain): chain
        case .accept, .drop, .continue, .return, .other: nil
        }
    }

    private var code: Int32 {
        switch self {
        case .accept: 1
        case .drop: 0
        case .continue: -1
        case .return: -5
        case .jump: -3
        case .goTo: -4
        case .other(let code): code
        }
    }
}
