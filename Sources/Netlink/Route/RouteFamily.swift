import Addresses
import CLinux
import Glibc

extension IPAddress.Family {
    /// `AF_INET` or `AF_INET6`.
    package var number: UInt8 { UInt8(self == .ipv4 ? AF_INET : AF_INET6) }

    /// `nil` for any other than `AF_INET` and `AF_INET6`.
    package init?(number: some BinaryInteger) {
        switch Int32(truncatingIfNeeded: number) {
        case AF_INET: self = .ipv4
        case AF_INET6: self = .ipv6
        default: return nil
        }
    }
}

extension Attributes {
    /// The address in the attribute `type`; `nil` if there is none, or of another family.
    func address(_ type: some AttributeType) -> IPAddress? {
        self[type].flatMap { IPAddress(bytes: $0) }
    }
}

extension MessageBuilder {
    /// Appends an attribute that holds an address.
    mutating func attribute(_ type: some AttributeType, _ address: IPAddress) {
        attribute(type, address.bytes)
    }
}
