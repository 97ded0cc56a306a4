import Images
import OCISpec
import SystemPackage

/// What changes images: as `Images` does it, with the events Docker sends and with the containers in view.
extension Engine {
    /// See `Images.importImage`.
    package func importImage(
        from stream: FileDescriptor, reference: ImageReference?, changes: [String] = [], message: String = "",
        platform: Platform? = nil, progress: @escaping @Sendable (ImageProgress) -> Void = { _ in }
    ) async throws -> Digest {
        do {
            let id = try await images.importImage(
                from: stream, reference: reference, changes: changes, message: message, platform: platform,
                progress: progress)
            await emit("create", id, name: id.description)
            if let reference { await emit("tag", id, name: reference.familiar) }
            await emit("import", id, name: reference?.familiar ?? id.description)
            return id
        } catch {
            throw EngineError(error)
        }
    }

    /// See `Images.load`.
    package func loadImages(
        from stream: FileDescriptor, platforms: [Platform] = [],
        progress: @escaping @Sendable (ImageProgress) -> Void = { _ in }
    ) async throws -> [LoadedImage] {
        do {
            let loaded = try await images.load(from: stream, platforms: platforms, progress: progress)
            for image in loaded {
                let names = image.references.isEmpty ? [image.id.description] : image.references.map(\.familiar)
                for name in names { await emit("load", image.id, name: name) }
            }
            return loaded
        } catch {
            throw EngineError(error)
        }
    }

    /// See `Images.save`.
    package func saveImages(
        _ names: [String], platforms: [Platform], to stream: FileDescriptor
    ) async throws {
        do {
            for id in try await images.save(names, platforms: platforms, to: stream) {
                await emit("save", id, name: id.description)
            }
        } catch {
            throw EngineError(error)
        }
    }

    /// See `Images.tag`.
    package func tagImage(_ name: String, as reference: ImageReference) async throws {
        do {
            let image = try await images.tag(name, as: reference)
            await emit("tag", image.id, name: reference.familiar)
        } catch {
            throw EngineError(error)
        }
    }

    /// See `Images.remove`; knows which containers use an image.
    package func removeImage(
        _ name: String, platforms: [Platform] = [], force: Bool = false, noPrune: Bool = false
    ) async throws -> [ImageDeletion] {
        do {
            let image = try await images.find(name)
            let id = image.id.description
            let labels = image.configuration.config?.labels ?? [:]
            let deletions = try await images.remove(
                name, platforms: platforms, force: force, noPrune: noPrune, users: imageUsers)
            for deletion in deletions {
                switch deletion {
                case .untagged: emit("untag", id, name: id, labels: labels)
                case .deleted(let deleted) where deleted == id: emit("delete", id, name: id, labels: labels)
                case .deleted: break
                }
            }
            return deletions
        } catch {
            throw EngineError(error)
        }
    }

    /// How many containers were made of each image.
    package var containersByImage: [Digest: Int] { containerIDsByImage.mapValues(\.count) }

    /// The ids of the containers that were made of each image.
    package var containerIDsByImage: [Digest: [String]] {
        var ids: [Digest: [String]] = [:]
        for container in services.registry.all {
            if let image = Digest(container.current.imageID) { ids[image, default: []].append(container.id) }
        }
        return ids
    }

    /// Publishes an event of an image, with its labels; `actor` is what it is about in place of the image's id.
    func emit(_ action: String, _ image: Digest, actor: String? = nil, name: String) async {
        // An image that is gone by now, or that cannot be read, has none to tell.
        let labels = (try? await images.record(image))?.configuration.config?.labels ?? [:]
        emit(action, actor ?? image.description, name: name, labels: labels)
    }

    func emit(_ action: String, _ id: String, name: String, labels: [String: String]) {
        var attributes = labels
        attributes["name"] = name
        services.events.publish(EngineEvent(kind: .image, action: action, actorID: id, attributes: attributes))
    }
}
