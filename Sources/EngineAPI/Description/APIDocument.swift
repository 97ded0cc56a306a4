import BuildInformation
import EngineAPIModel

/// The API as a page for people: `docs/api.md`.
package enum APIDocument {
    /// The text of the page.
    package static var text: String {
        var lines = opening
        for (title, endpoints) in APITable.groups {
            lines += ["## \(title)", "", "| | | parameters | body | answer |", "|---|---|---|---|---|"]
            lines += endpoints.map(row)
            lines.append("")
        }
        lines += fieldRows
        return lines.joined(separator: "\n") + "\n"
    }

    private static let opening = [
        "# The API",
        "",
        "`masud` serves the Docker Engine API, versions \(MasuVersion.minimumAPIVersion) to \(MasuVersion.apiVersion). "
            + "This page is made from the table that the daemon itself",
        "works by (`APITable`, `VersionedField`): `make api` writes it anew, and a test fails if it is not up to date. "
            + "The daemon serves the same as an",
        "OpenAPI document: `GET /masu/openapi.json`, or of another version "
            + "`GET /v1.44/masu/openapi.json`. [Differences from Docker](compatibility.md) are on a page of their "
            + "own.",
        "",
        "Paths begin with `/v1.NN`; without that the newest version is meant. An error is a JSON object with a "
            + "`message`. Parameters and fields of other versions count as",
        "absent. What follows a parameter or an operation in parentheses is the versions that have it.",
        "",
    ]

    private static func row(_ endpoint: APIEndpoint) -> String {
        let versions = endpoint.versions.text.isEmpty ? "" : " (\(endpoint.versions.text))"
        let parameters = endpoint.parameters.map { parameter in
            let range = parameter.versions.text.isEmpty ? "" : " (\(parameter.versions.text))"
            return "`\(parameter.name)`\(range) \(parameter.meaning)"
        }
        return "| `\(endpoint.method.rawValue) \(endpoint.path)`\(versions) | \(endpoint.summary) | "
            + "\(parameters.joined(separator: "; ")) | \(body(endpoint.body)) | \(answer(endpoint)) |"
    }

    private static func body(_ body: APIBody) -> String {
        switch body {
        case .none: ""
        case .document(let type, _): "`\(OpenAPIDocument.name(type))`"
        case .archive: "tar"
        }
    }

    private static func answer(_ endpoint: APIEndpoint) -> String {
        if let refusal = endpoint.refusal { return "**\(refusal.status)** \(refusal.error("NAME").message)" }
        return switch endpoint.answer {
        case .nothing(let status): "\(status)"
        case .document(let type, let status): "\(status) `\(OpenAPIDocument.name(type))`"
        case .list(let type): "200 list of `\(OpenAPIDocument.name(type))`"
        case .lines(let type): "200 stream of `\(OpenAPIDocument.name(type))`"
        case .anything(let status): "\(status) JSON"
        case .text: "200 text"
        case .archive: "200 tar"
        case .output: "200 frames of output"
        case .connection: "101 both directions"
        }
    }

    /// The fields that depend on the version.
    private static var fieldRows: [String] {
        let rows = VersionedField.all.map { field in
            let omitted = field.omittedWhenEmpty == .none ? "" : field.omittedWhenEmpty.text
            return "| `\(OpenAPIDocument.name(field.type)).\(field.name)` | \(words(field.sent)) | "
                + "\(words(field.accepted)) | \(omitted) |"
        }
        return [
            "## Fields that not every version has", "",
            "| field | sent | read | left out where empty |", "|---|---|---|---|",
        ] + rows
    }

    private static func words(_ range: VersionRange) -> String { range == .all ? "always" : range.text }
}
