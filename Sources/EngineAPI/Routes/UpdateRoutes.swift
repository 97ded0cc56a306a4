import Engine
import EngineAPIModel
import HTTPServing
import JSON
import NIOHTTP1

extension EngineRoutes {
    /// `/containers/{name}/update`.
    var containerUpdates: [Route] {
        [
            Route(.POST, "/containers/{name}/update") { request in
                guard let document = try await request.decodeNeededBody(JSONValue.self) else {
                    throw APIError.invalid("invalid JSON: no change is described")
                }
                let wire = try JSON.decode(ContainerUpdateRequest.self, from: document, ignoringCase: true)
                var response = ContainerUpdateResponse()
                let change = try ContainerChange(
                    wire, version: request.version, document: document, warnings: &response.warnings)
                response.warnings += try await engine.update(request.name, change)
                return .json(response)
            }
        ]
    }
}
