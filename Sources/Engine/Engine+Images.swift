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
            if let reference { emit("tag", id.description, name: reference.familiar) }
            emit("import", id.description, name: reference?.familiar ?? id.description)
            return id
        } catch {
            throw EngineError(error)
        }
    }

    /// See `Images.load`.
    package func loadImages(
        from stream: FileDescriptor, platform: Platform? = nil,
        progress: @escaping @Sendable (ImageProgress) -> Void = { _ in }
    ) async throws -> [LoadedImage] {
        do {
            let loaded = try await images.load(from: stream, platform: platform, progress: progress)
            for image in loaded {
                let names = image.references.isEmpty ? [image.id.description] : image.references.map(\.familiar)
                for name in names { emit("load", image.id.description, name: name) }
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
                emit("save", id.description, name: id.description)
            }
        } catch {
            throw EngineError(error)
        }
    }

    /// See `Images.tag`.
    package func tagImage(_ name: String, as reference: ImageReference) async throws {
        do {
            let image = try await images.tag(name, as: reference)
            emit("tag", image.id.description, name: reference.familiar)
        } catch {
            throw EngineError(error)
        }
    }

    /// See `Images.remove`; knows which containers use an image.
    package func removeImage(
        _ name: String, force: Bool = false, noPrune: Bool = false
    ) async throws -> [ImageDeletion] {
        do {
            let id = try await images.resolve(name).id.description
            let deletions = try await images.remove(name, force: force, noPrune: noPrune, users: imageUsers)
            for deletion in deletions {
                switch deletion {
                case .untagged: emit("untag", id, name: id)
                case .deleted(let deleted) where deleted == id: emit("delete", id, name: id)
                case .deleted: break
                }
            }
            return deletions
        } catch {
            throw EngineError(error)
        }
    }

    /// Publishes an event of an image.
    func emit(_ action: String, _ id: String, name: String) {
        services.events.publish(EngineEvent(kind: .image, action: action, actorID: id, attributes: ["name": name]))
    }
}
