import CLinux
import SystemPackage

/// An element of a set or map.
package struct FirewallElement: Hashable, Sendable {
    /// The key that it is for; without any bytes, all keys that no other element is for.
    package var key: FirewallKey
    /// The last key that it is for, in sets that have ranges; `nil` for the one key.
    package var lastKey: FirewallKey?
    /// What the key leads to.
    package var content: Content
    /// What belongs to it and means nothing to the kernel.
    package var userData: FirewallUserData?
    /// After how many milliseconds it vanishes.
    package var timeout: UInt64?

    /// What the key leads to.
    package enum Content: Hashable, Sendable {
        case none
        case value(FirewallKey)
        case verdict(Verdict)
    }

    /// An element for a key, or for a range of keys.
    package init(
        _ key: FirewallKey, through lastKey: FirewallKey? = nil, _ content: Content = .none,
        userData: FirewallUserData? = nil, timeout: UInt64? = nil
    ) {
        self.key = key
        self.lastKey = lastKey
        self.content = content
        self.userData = userData
        self.timeout = timeout
    }

    /// What all keys lead to that no other element is for.
    package static func others(_ content: Content = .none) -> FirewallElement {
        FirewallElement(FirewallKey(bytes: []), content)
    }

    /// Whether it is for all keys that no other element is for.
    package var isForOthers: Bool { key.bytes.isEmpty }
}

extension FirewallSet {
    /// Adds elements, in as many messages as they need.
    package func addition(of elements: [FirewallElement]) -> [Request] {
        requests("add elements to the \(self)", .newElement, elements, flags: FirewallMessage.create)
    }

    /// Adds elements; fails if there is one of them. In as many messages as they need.
    package func creation(of elements: [FirewallElement]) -> [Request] {
        requests("add elements to the \(self)", .newElement, elements, flags: Request.create)
    }

    /// Removes elements, all of which there must be, in as many messages as they need.
    package func removal(of elements: [FirewallElement]) -> [Request] {
        requests("remove elements of the \(self)", .deleteElement, elements)
    }

    /// Removes elements as far as there are any (Linux 6.3), in as many messages as they need.
    package func destruction(of elements: [FirewallElement]) -> [Request] {
        requests("remove elements of the \(self)", .destroyElement, elements)
    }

    /// Removes all elements.
    package var flush: Request {
        FirewallMessage.request("flush the \(self)", .deleteElement, table.family) { appendReference(to: &$0) }
    }

    /// Asks for all elements.
    package var query: Request {
        FirewallMessage.request("list the elements of the \(self)", .getElement, table.family, flags: Request.dump) {
            appendReference(to: &$0)
        }
    }

    private func requests(
        _ what: String, _ kind: FirewallMessage.Kind, _ elements: [FirewallElement], flags: Int32 = 0
    ) -> [Request] {
        var requests: [Request] = []
        var content: [UInt8] = []
        func finish() {
            if content.isEmpty { return }
            requests.append(
                FirewallMessage.request(what, kind, table.family, flags: flags) {
                    appendReference(to: &$0)
                    $0.nested(NFTA_SET_ELEM_LIST_ELEMENTS) { $0.append(bytes: content) }
                })
            content = []
        }
        for element in elements {
            var builder = MessageBuilder()
            append(element, withContent: kind == .newElement, to: &builder)
            if content.count + builder.content.count > Self.capacity { finish() }
            content += builder.content
        }
        finish()
        return requests
    }

    /// How many bytes of elements go into an attribute, whose length has 16 bits.
    private static let capacity = 60_000

    private func appendReference(to builder: inout MessageBuilder) {
        builder.attribute(NFTA_SET_ELEM_LIST_TABLE, table.name)
        builder.attribute(NFTA_SET_ELEM_LIST_SET, name)
    }

    private func append(_ element: FirewallElement, withContent: Bool, to builder: inout MessageBuilder) {
        builder.nested(NFTA_LIST_ELEM) {
            if element.isForOthers {
                $0.networkOrder(NFTA_SET_ELEM_FLAGS, Self.catchAll)
            } else {
                append(element.key, NFTA_SET_ELEM_KEY, to: &$0)
            }
            if hasRangesOfParts, !element.isForOthers {
                append(element.lastKey ?? element.key, NFTA_SET_ELEM_KEY_END, to: &$0)
            }
            guard withContent else { return }
            switch element.content {
            case .none: break
            case .value(let value): append(value, NFTA_SET_ELEM_DATA, to: &$0)
            case .verdict(let verdict): $0.nested(NFTA_SET_ELEM_DATA) { verdict.append(to: &$0) }
            }
            if let timeout = element.timeout { $0.networkOrder(NFTA_SET_ELEM_TIMEOUT, timeout) }
            if let userData = element.userData { $0.attribute(NFTA_SET_ELEM_USERDATA, userData.bytes) }
        }
        guard hasIntervals, key.count == 1, !element.isForOthers,
            let end = (element.lastKey ?? element.key).next
        else { return }
        // The end of a range is an element of its own: the first key behind it.
        builder.nested(NFTA_LIST_ELEM) {
            $0.networkOrder(NFTA_SET_ELEM_FLAGS, Self.intervalEnd)
            append(end, NFTA_SET_ELEM_KEY, to: &$0)
        }
    }

    private func append(_ key: FirewallKey, _ type: nft_set_elem_attributes, to builder: inout MessageBuilder) {
        builder.nested(type) { $0.attribute(NFTA_DATA_VALUE, key.bytes) }
    }

    /// `NFT_SET_ELEM_INTERVAL_END`.
    private static let intervalEnd: UInt32 = 1
    /// `NFT_SET_ELEM_CATCHALL`.
    private static let catchAll: UInt32 = 2

    // MARK: Reading

    /// Reads the payloads of all `NFT_MSG_NEWSETELEM` that are the answer to `query`.
    package func elements(payloads: [ArraySlice<UInt8>]) throws(Errno) -> [FirewallElement] {
        var elements: [(element: FirewallElement, isEnd: Bool)] = []
        for payload in payloads {
            let attributes = try FirewallMessage.read(payload).attributes
            for (_, entry) in try attributes.nested(NFTA_SET_ELEM_LIST_ELEMENTS)?.all ?? [] {
                elements.append(try Self.element(Attributes(entry)))
            }
        }
        if hasIntervals && key.count == 1 { return Self.ranges(of: elements) }
        return elements.map(\.element)
    }

    private static func element(_ attributes: Attributes) throws(Errno) -> (FirewallElement, Bool) {
        let flags: UInt32 = try attributes.networkOrder(NFTA_SET_ELEM_FLAGS) ?? 0
        let key = try attributes.nested(NFTA_SET_ELEM_KEY)?[NFTA_DATA_VALUE] ?? []
        if key.isEmpty, flags & catchAll == 0 { throw .badMessage }
        var content = FirewallElement.Content.none
        if let data = try attributes.nested(NFTA_SET_ELEM_DATA) {
            if let value = data[NFTA_DATA_VALUE] { content = .value(FirewallKey(bytes: Array(value))) }
            if let verdict = try data.nested(NFTA_DATA_VERDICT) { content = .verdict(try Verdict(verdict)) }
        }
        let last = try attributes.nested(NFTA_SET_ELEM_KEY_END)?[NFTA_DATA_VALUE]
        let element = FirewallElement(
            FirewallKey(bytes: Array(key)), through: last.flatMap { $0 == key ? nil : FirewallKey(bytes: Array($0)) },
            content, userData: attributes[NFTA_SET_ELEM_USERDATA].map { FirewallUserData(bytes: Array($0)) },
            timeout: try attributes.networkOrder(NFTA_SET_ELEM_TIMEOUT))
        return (element, flags & intervalEnd != 0)
    }

    /// Puts the ends of ranges to their beginnings.
    private static func ranges(of entries: [(element: FirewallElement, isEnd: Bool)]) -> [FirewallElement] {
        let sorted = entries.sorted { left, right in
            let (first, second) = (left.element.key.bytes, right.element.key.bytes)
            // A range may begin with the first key behind another one.
            return first == second ? left.isEnd && !right.isEnd : first.lexicographicallyPrecedes(second)
        }
        var elements: [FirewallElement] = []
        var isOpen = false
        for (element, isEnd) in sorted {
            if isEnd, isOpen, let last = element.key.previous {
                if last != elements[elements.count - 1].key { elements[elements.count - 1].lastKey = last }
            }
            if !isEnd { elements.append(element) }
            isOpen = !isEnd
        }
        // One without an end goes to the last key that there is.
        if isOpen, let key = elements.last?.key, key.next != nil {
            elements[elements.count - 1].lastKey = FirewallKey(bytes: Array(repeating: 255, count: key.bytes.count))
        }
        return elements
    }
}

extension FirewallKey {
    /// The key behind it, in the order of the bytes; `nil` behind the last one.
    fileprivate var next: FirewallKey? {
        var bytes = bytes
        for index in bytes.indices.reversed() {
            bytes[index] &+= 1
            if bytes[index] != 0 { return FirewallKey(bytes: bytes) }
        }
        return nil
    }

    /// The key before it; `nil` before the first one.
    fileprivate var previous: FirewallKey? {
        var bytes = bytes
        for index in bytes.indices.reversed() {
            bytes[index] &-= 1
            if bytes[index] != 255 { return FirewallKey(bytes: bytes) }
        }
        return nil
    }
}
