/// What every program of Masu says about itself.
///
/// The versions of the specifications are here too, because `masu-runtime --version`, `masud` and the API's `/version`
/// have to agree on them.
package enum MasuVersion {
    /// The version of this source tree (Semantic Versioning 2.0).
    package static let version = "0.1.0"

    /// The newest Docker Engine API version spoken.
    package static let apiVersion = "1.55"

    /// The Docker Engine whose newest API is `apiVersion`.
    package static let compatibleEngine = "29.6.0"

    /// What the API says where Docker's daemon says its own version. Clients compare it with versions of Docker to
    /// learn what they may ask for, so it begins with that of the engine this one answers like; what follows the plus
    /// sign, which Semantic Versioning leaves out of every comparison, is this program's own.
    package static let engineVersion = compatibleEngine + "+masu" + version

    /// The oldest Docker Engine API version answered.
    package static let minimumAPIVersion = "1.24"

    /// The version of the OCI runtime specification that configurations are written in.
    package static let runtimeSpecification = "1.3.0"
}
