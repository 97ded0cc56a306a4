import Engine
import JSON
import OCISpec
import Testing

import EngineAPI
import EngineAPIModel
import Volumes

@Suite("Volumes on the wire")
struct VolumeTextTests {
    private let volume = Volume(
        name: "data", driver: "local", createdAt: Timestamp("2026-01-02T03:04:05.678Z"), labels: ["a": "b"],
        definition: .local(LocalOptions()))

    @Test("filters of lists: all kinds must hold, of one kind any will do, of labels all")
    func filters() throws {
        func matches(_ filters: [String: [String]], isInUse: Bool = false) throws -> Bool {
            try VolumeFilter(wire: FilterArguments(filters)).matches(volume, isInUse: isInUse)
        }
        #expect(try matches([:]))
        #expect(try matches(["name": ["no", "^da"]]))
        #expect(try !matches(["name": ["^ta"]]))
        #expect(try matches(["driver": ["other", "local"]]))
        #expect(try matches(["label": ["a", "a=b"]]))
        #expect(try !matches(["label": ["a", "c"]]))
        #expect(try matches(["dangling": ["true"]]))
        #expect(try !matches(["dangling": ["1"]], isInUse: true))
        #expect(try matches(["dangling": ["0"]], isInUse: true))
        #expect(throws: APIError.invalid("invalid filter 'id'")) { try matches(["id": ["x"]]) }
        #expect(throws: APIError.invalid("invalid filter 'dangling=[\"x\"]'")) { try matches(["dangling": ["x"]]) }
    }

    @Test("a prune takes volumes without a name; before API 1.42, or with the filter all, others as well")
    func prune() throws {
        func matches(
            _ filters: [String: [String]], _ version: Int = 51, labels: [String: String] = ["a": "b"],
            options: [String: String]? = nil
        ) throws -> Bool {
            let volume = Volume(
                name: "data", driver: "local", createdAt: nil, labels: labels, options: options,
                definition: .local(LocalOptions()))
            return try VolumePruneFilter(wire: FilterArguments(filters), version: .v(version)).matches(volume)
        }
        #expect(try !matches([:]))
        #expect(try matches([:], 41))
        #expect(try matches(["all": ["1"]]))
        #expect(try !matches(["all": ["false"]]))
        #expect(try matches([:], labels: ["com.docker.volume.anonymous": ""]))
        #expect(try !matches(["all": ["true"]], options: ["type": "tmpfs"]))
        #expect(try !matches(["all": ["true"], "label!": ["a=b"]]))
        #expect(try !matches(["all": ["true"], "label": ["c"]]))
        #expect(throws: APIError.invalid("invalid filter 'all=[false true]': only one value is expected")) {
            try matches(["all": ["true", "false"]])
        }
        #expect(
            throws: APIError.invalid(
                "invalid filter 'all': strconv.ParseBool: parsing \"maybe\": invalid syntax")
        ) { try matches(["all": ["maybe"]]) }
        #expect(throws: APIError.invalid("invalid filter 'until'")) { try matches(["until": ["1h"]]) }
    }
}
