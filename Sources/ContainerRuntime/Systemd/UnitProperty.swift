import Cgroups
import DBus
import OCISpec

/// A property of a unit, as the methods of systemd's manager take it.
package struct UnitProperty: Hashable, Sendable {
    /// As systemd.resource-control(5) and its sisters call it, but for units (`…USec`).
    package let name: String
    /// In the type that systemd wants.
    package let value: DBusValue

    /// A property.
    package init(_ name: String, _ value: DBusValue) {
        self.name = name
        self.value = value
    }

    /// A number, the largest of which is none.
    package init(_ name: String, _ number: UInt64) {
        self.init(name, .uint64(number))
    }

    /// The type of one in a message.
    static let type = DBusType.structure([.string, .variant])

    var structure: DBusValue { .structure([.string(name), .variant(value)]) }

    /// What every container's unit has.
    static func common(
        unit: SystemdUnit, container: String, process: Int32, isUnified: Bool
    ) -> [UnitProperty] {
        var properties = [UnitProperty("Description", .string("container \(container)"))]
        if unit.isSlice {
            properties.append(UnitProperty("Wants", .strings([unit.slice])))
        } else {
            properties.append(UnitProperty("Slice", .string(unit.slice)))
            properties.append(UnitProperty("Delegate", .boolean(true)))
        }
        properties.append(UnitProperty("PIDs", .array(.uint32, [.uint32(UInt32(bitPattern: process))])))
        for name in ["Memory", "CPU", isUnified ? "IO" : "BlockIO", "Tasks"] {
            properties.append(UnitProperty("\(name)Accounting", .boolean(true)))
        }
        // Without it systemd would stop the container when the machine goes down before the engine does.
        properties.append(UnitProperty("DefaultDependencies", .boolean(false)))
        return properties
    }

    private static let annotationPrefix = "org.systemd.property."

    /// Properties that annotations called `org.systemd.property.NAME` ask for, in alphabetical order.
    ///
    /// A name that ends in `Sec` stands for seconds, though the property itself has microseconds and ends in `USec`.
    package static func requested(by annotations: [String: String]) throws(RuntimeError) -> [UnitProperty] {
        var properties: [UnitProperty] = []
        for (key, text) in annotations.sorted(by: { $0.key < $1.key }) where key.hasPrefix(annotationPrefix) {
            let name = key.dropFirst(annotationPrefix.count)
            guard name.utf8.count >= 3 else {
                throw RuntimeError(.invalid, "annotation \(key) name incorrect: too short")
            }
            guard name.utf8.allSatisfy({ (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) }) else {
                throw RuntimeError(.invalid, "annotation \(key) name incorrect: contains non-alphabetic character")
            }
            let value: DBusValue
            do throws(DBusError) {
                value = try VariantText.parse(text)
            } catch {
                throw RuntimeError(.invalid, "annotation \(key)=\(text) value parse error: \(error.message)")
            }
            let stem = name.dropLast(3)
            if name.hasSuffix("Sec"), let last = stem.utf8.last, (0x61...0x7a).contains(last) {
                guard let microseconds = microseconds(value) else {
                    throw RuntimeError(.invalid, "annotation \(key)=\(text) value parse error: not a number")
                }
                properties.append(UnitProperty("\(stem)USec", microseconds))
            } else {
                properties.append(UnitProperty(String(name), value))
            }
        }
        return properties
    }

    private static func microseconds(_ seconds: DBusValue) -> UInt64? {
        let million = 1_000_000
        switch seconds {
        case .byte(let number): return UInt64(number) * UInt64(million)
        case .int16(let number): return UInt64(exactly: Int(number) * million)
        case .uint16(let number): return UInt64(number) * UInt64(million)
        case .int32(let number): return UInt64(exactly: Int(number) * million)
        case .uint32(let number): return UInt64(number) * UInt64(million)
        case .int64(let number):
            let (product, isTooMuch) = number.multipliedReportingOverflow(by: Int64(million))
            return isTooMuch ? nil : UInt64(exactly: product)
        case .uint64(let number):
            let (product, isTooMuch) = number.multipliedReportingOverflow(by: UInt64(million))
            return isTooMuch ? nil : product
        case .double(let number): return UInt64(exactly: (number * Double(million)).rounded(.towardZero))
        default: return nil
        }
    }
}
