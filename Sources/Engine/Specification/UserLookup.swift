import OCISpec
import SystemPackage

/// Who a container's process runs as: `user[:group]` looked up in the container's own /etc/passwd and /etc/group, by
/// Docker's rules and with its texts.
package struct ContainerUser: Hashable, Sendable {
    /// The user id.
    package var uid: UInt32 = 0
    /// The group id.
    package var gid: UInt32 = 0
    /// Ordered, without repetition; begins with `gid`, so that a process cannot drop the group by an empty list
    /// (CVE-2022-36109).
    package var additionalGIDs: [UInt32] = []
    /// The home directory.
    package var home = "/"

    /// The same in the runtime specification's terms.
    package var user: User { User(uid: uid, gid: gid, additionalGids: additionalGIDs) }

    package init(_ text: String, groupAdd: [String] = [], files: LayeredFiles) throws(EngineError) {
        do {
            let passwd = try files.read("/etc/passwd") ?? []
            let needsGroups = !groupAdd.isEmpty || !passwd.isEmpty
            let group = needsGroups || text.contains(":") ? try files.read("/etc/group") ?? [] : []
            try self.init(text, groupAdd: groupAdd, passwd: passwd, group: group)
        } catch let error as EngineError {
            throw error
        } catch {
            throw .system("unable to read the container's users: \(error)")
        }
    }

    package init(_ text: String, groupAdd: [String] = [], passwd: [UInt8], group: [UInt8]) throws(EngineError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let userText = parts.first ?? ""
        let groupText = parts.count > 1 ? parts[1] : ""

        let number = try Self.number(userText)
        let wanted = userText.isEmpty ? 0 : number
        // As the C library: the first entry with the name, or with the number.
        let entry = AccountLine.first(in: passwd) { line in
            !userText.isEmpty && line.isNamed(userText) || wanted.map { line.number == $0 } ?? false
        }
        var name: String?
        if let entry {
            name = entry.text(0)
            uid = try entry.identifier(2)
            gid = try entry.identifier(3)
            if let directory = entry.text(5), !directory.isEmpty { home = directory }
        } else if let wanted {
            uid = wanted
        } else {
            throw .invalid("unable to find user \(userText): no matching entries in passwd file")
        }

        var additional: [UInt32] = []
        if !groupText.isEmpty {
            let gidNumber = try Self.number(groupText)
            let entry = AccountLine.first(in: group) { line in
                line.isNamed(groupText) || gidNumber.map { line.number == $0 } ?? false
            }
            if let entry {
                gid = try entry.identifier(2)
            } else if let gidNumber {
                gid = gidNumber
            } else {
                throw .invalid("unable to find group \(groupText): no matching entries in group file")
            }
        } else if let name {
            for line in AccountLine.all(in: group) where line.hasMember(name) {
                additional.append(try line.identifier(2))
            }
        }
        for extra in groupAdd {
            if let entry = AccountLine.first(in: group, where: { $0.isNamed(extra) }) {
                additional.append(try entry.identifier(2))
            } else if let found = try Self.number(extra) {
                additional.append(found)
            } else {
                throw .invalid("Unable to find group \(extra)")
            }
        }
        var seen: Set<UInt32> = []
        additionalGIDs = ([gid] + additional).filter { seen.insert($0).inserted }
        guard additionalGIDs.count <= Self.maximumGroups else {
            throw .invalid(
                "user \(userText.isEmpty ? "root" : userText) is in \(additionalGIDs.count) groups: the kernel allows "
                    + "\(Self.maximumGroups)"
            )
        }
    }

    /// NGROUPS_MAX of the kernel; setgroups(2).
    private static let maximumGroups = 65_536

    /// A decimal id, nil if `text` is a name; throws when it is a number out of range.
    private static func number(_ text: String) throws(EngineError) -> UInt32? {
        guard let number = Int64(text) else { return nil }
        guard AccountLine.identifiers.contains(number) else { throw AccountLine.outOfRange }
        return UInt32(number)
    }
}

/// A line of /etc/passwd or /etc/group: fields divided by colons, the name first, its number third. It is the image
/// that decides how many lines there are and how long they are, so that nothing is copied before it is asked for.
private struct AccountLine {
    private let fields: [ArraySlice<UInt8>]

    /// Comments, empty lines and lines with fewer than three fields are none.
    private init?(_ line: ArraySlice<UInt8>) {
        guard let first = line.first, first != UInt8(ascii: "#") else { return nil }
        fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 6, omittingEmptySubsequences: false)
        guard fields.count >= 3, !fields[0].isEmpty else { return nil }
    }

    static func all(in bytes: [UInt8]) -> some Sequence<AccountLine> {
        bytes.lazy.split(separator: UInt8(ascii: "\n")).lazy.compactMap {
            AccountLine(bytes[$0.startIndex..<$0.endIndex])
        }
    }

    static func first(in bytes: [UInt8], where isWanted: (AccountLine) -> Bool) -> AccountLine? {
        for line in all(in: bytes) where isWanted(line) { return line }
        return nil
    }

    func isNamed(_ name: String) -> Bool { fields[0].elementsEqual(name.utf8) }

    /// Whether the fourth field, a list divided by commas, has `name`.
    func hasMember(_ name: String) -> Bool {
        guard fields.count > 3 else { return false }
        return fields[3].split(separator: UInt8(ascii: ",")).contains { $0.elementsEqual(name.utf8) }
    }

    func text(_ field: Int) -> String? {
        fields.indices.contains(field) ? String(decoding: fields[field], as: UTF8.self) : nil
    }

    /// The third field, if it is a number that users and groups can have.
    var number: UInt32? {
        Int64(String(decoding: fields[2], as: UTF8.self)).flatMap { Self.identifiers.contains($0) ? UInt32($0) : nil }
    }

    /// A field that has to be a user's or a group's number; 0 where the line has no such field. Anything else there
    /// would be taken for root's.
    func identifier(_ field: Int) throws(EngineError) -> UInt32 {
        guard let text = text(field) else { return 0 }
        guard let number = Int64(text), Self.identifiers.contains(number) else { throw Self.outOfRange }
        return UInt32(number)
    }

    static let identifiers = 0...Int64(Int32.max)
    static let outOfRange = EngineError.invalid("uids and gids must be in range 0-2147483647")
}
