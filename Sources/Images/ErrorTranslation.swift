import Archive
import ContentStore
import Distribution
import Failure
import JSON
import OCISpec
import Snapshots
import SystemPackage

extension ImagesError {
    /// Runs `body` and turns the errors of the modules below into this module's.
    static func translating<T>(_ body: () throws -> T) throws -> T {
        do {
            return try body()
        } catch {
            throw ImagesError(translating: error)
        }
    }

    init(translating error: any Error) {
        switch error {
        case let error as ImagesError: self = error
        case let error as StaleDownload: self.init(.invalid, error.cause.message)
        case let error as any Failure: self.init(error.kind, error.message)
        case let error as ArchiveError:
            if case .system = error {
                self.init(.system, error.description)
            } else {
                self.init(.invalid, error.description)
            }
        case let error as ContentError:
            if case .system = error {
                self.init(.system, error.description)
            } else {
                self.init(.invalid, error.description)
            }
        case let error as JSONError: self.init(.invalid, error.description)
        case let error as DigestError: self.init(.invalid, error.description)
        case let error as ImageReferenceError: self.init(.invalid, error.description)
        default: self.init(.system, "\(error)")
        }
    }
}
