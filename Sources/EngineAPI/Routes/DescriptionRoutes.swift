import HTTPServing

extension EngineRoutes {
    /// What the API says about itself.
    var description: [Route] {
        [Route(.GET, "/masu/openapi.json") { request in .json(OpenAPIDocument.make(request.version)) }]
    }
}
