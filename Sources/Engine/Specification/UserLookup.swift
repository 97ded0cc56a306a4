import OCISpec
import SystemPackage

/// Who a container's process runs as: `user[:group]` looked up in the container's own /etc/passwd and /etc/group, by
/// Docker's rules and with its texts.
package struct ContainerUser: Hashable, Sendable {
    package var uid: UInt32 = 0
    package var gid: UInt32 = 0
    /// Ordered, without repetition; begins with `gid`, so that a process cannot drop the group by an empty list
    /// (CVE-2022-36109).
    package var additionalGIDs: [UInt32] = []
    package var home = "/"

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
        let users = Self.lines(passwd, atLeast: 3)
        let groups = Self.lines(group, atLeast: 3)

        let number = try Self.number(userText)
        let wanted = userText.isEmpty ? 0 : number
        // As the C library: the first entry with the name, or with the number.
        let entry = users.first { fields in
            !userText.isEmpty && fields[0] == userText || wanted.map { UInt32(fields[2]) == $0 } ?? false
        }
        var name: String?
        if let entry {
            name = entry[0]
            uid = UInt32(entry[2]) ?? 0
            gid = entry.count > 3 ? UInt32(entry[3]) ?? 0 : 0
            if entry.count > 5, !entry[5].isEmpty { home = entry[5] }
        } else if let wanted {
            uid = wanted
        } else {
            throw .invalid("unable to find user \(userText): no matching entries in passwd file")
        }

        var additional: [UInt32] = []
        if !groupText.isEmpty {
            let gidNumber = try Self.number(groupText)
            if let entry = groups.first(where: { $0[0] == groupText || gidNumber != nil && UInt32($0[2]) == gidNumber })
            {
                gid = UInt32(entry[2]) ?? 0
            } else if let gidNumber {
                gid = gidNumber
            } else {
                throw .invalid("unable to find group \(groupText): no matching entries in group file")
            }
        } else if let name {
            for fields in groups
            where fields.count > 3 && fields[3].split(separator: ",").contains(where: { $0 == name }) {
                if let member = UInt32(fields[2]) { additional.append(member) }
            }
        }
        for extra in groupAdd {
            if let entry = groups.first(where: { $0[0] == extra }), let found = UInt32(entry[2]) {
                additional.append(found)
            } else if let found = try Self.number(extra) {
                additional.append(found)
            } else {
                throw .invalid("Unable to find group \(extra)")
            }
        }
        for gid in [gid] + additional where !additionalGIDs.contains(gid) { additionalGIDs.append(gid) }
    }

    /// A decimal id, nil if `text` is a name; throws when it is a number out of range.
    private static func number(_ text: String) throws(EngineError) -> UInt32? {
        guard let number = Int64(text) else { return nil }
        guard (0...Int64(Int32.max)).contains(number) else {
            throw .invalid("uids and gids must be in range 0-2147483647")
        }
        return UInt32(number)
    }

    /// Lines of colon-separated fields; comments, empty lines and lines with fewer than `count` fields are left out.
    private static func lines(_ bytes: [UInt8], atLeast count: Int) -> [[String]] {
        bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            guard let first = line.first, first != UInt8(ascii: "#") else { return nil }
            let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            guard fields.count >= count, !fields[0].isEmpty else { return nil }
            return fields.map { String(decoding: $0, as: UTF8.self) }
        }
    }
}
