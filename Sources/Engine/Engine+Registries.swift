import Distribution
import Images
import OCISpec

/// What has to do with registries: as `Images` does it, with the events Docker sends.
extension Engine {
    /// See `Images.pull`.
    package func pullImage(
        _ reference: ImageReference, platform: Platform? = nil, allTags: Bool = false,
        credentials: RegistryCredentials = .anonymous,
        progress: @escaping @Sendable (ImageProgress) -> Void = { _ in }
    ) async throws {
        do {
            let pulled = try await images.pull(
                reference, platform: platform, allTags: allTags, credentials: credentials, progress: progress)
            for image in pulled {
                await emit("pull", image.id, actor: image.reference.familiar, name: image.reference.familiarName)
            }
        } catch {
            throw Self.translated(error)
        }
    }

    /// See `Images.push`.
    package func pushImage(
        _ reference: ImageReference, allTags: Bool = false, credentials: RegistryCredentials = .anonymous,
        progress: @escaping @Sendable (ImageProgress) -> Void = { _ in }
    ) async throws {
        do {
            try await images.push(reference, allTags: allTags, credentials: credentials, progress: progress)
            let name = allTags ? reference.familiarName : reference.withDefaultTag.familiar
            let image = try? await images.resolve(reference.withDefaultTag.description)  // removed meanwhile
            emit(
                "push", name, name: reference.familiarName, labels: image?.configuration.config?.labels ?? [:])
        } catch {
            throw Self.translated(error)
        }
    }

    /// See `Images.inspectRemote`.
    package func inspectRemoteImage(
        _ reference: ImageReference, credentials: RegistryCredentials
    ) async throws -> RemoteDescription {
        do {
            return try await images.inspectRemote(reference, credentials: credentials)
        } catch {
            throw Self.translated(error)
        }
    }

    /// See `Images.pushManifest`.
    package func pushManifest(
        _ document: [UInt8], mediaType: String, as reference: ImageReference, credentials: RegistryCredentials
    ) async throws -> Descriptor {
        do {
            return try await images.pushManifest(
                document, mediaType: mediaType, as: reference, credentials: credentials)
        } catch {
            throw Self.translated(error)
        }
    }

    /// See `Images.copyManifest`.
    package func copyManifest(
        _ source: ImageReference, to name: ImageReference, credentials: RegistryCredentials
    ) async throws -> Descriptor {
        do {
            return try await images.copyManifest(source, to: name, credentials: credentials)
        } catch {
            throw Self.translated(error)
        }
    }

    /// Has a registry check credentials.
    package func logIn(_ domain: String, _ credentials: RegistryCredentials) async throws {
        do {
            try await images.registries.check(credentials, for: domain)
        } catch {
            throw Self.translated(error)
        }
    }

    /// See `Registries.search`.
    package func searchRegistry(
        _ term: String, limit: Int, credentials: RegistryCredentials
    ) async throws -> [SearchResult] {
        do {
            return try await images.registries.search(term, limit: limit, credentials: credentials)
        } catch {
            throw Self.translated(error)
        }
    }

    /// Begins to fetch an archive that lies on a web server, for an import.
    package func openArchive(at address: WebAddress) async throws -> WebDownload {
        do {
            return try await images.registries.download(address)
        } catch {
            throw Self.translated(error)
        }
    }

    private static func translated(_ error: any Error) -> any Error {
        switch error {
        case is CancellationError: return error
        default: return EngineError(error)
        }
    }
}
