import CLinux

/// What names a kind of attribute: the kernel's headers have them as numbers and as enumerations.
package protocol AttributeType {
    /// As it stands in the attribute's header.
    var attributeNumber: UInt16 { get }
}

extension AttributeType where Self: BinaryInteger {
    package var attributeNumber: UInt16 { UInt16(truncatingIfNeeded: self) }
}

extension AttributeType where Self: RawRepresentable, RawValue: BinaryInteger {
    package var attributeNumber: UInt16 { UInt16(truncatingIfNeeded: rawValue) }
}

extension Int: AttributeType {}
extension UInt16: AttributeType {}
