/// What every program of Masu says about itself.
///
/// The versions of the specifications are here too, because `masu-runtime --version`, `masud` and the API's `/version`
/// have to agree on them.
package enum MasuVersion {
    /// The version of this source tree (Semantic Versioning 2.0).
    package static let version = "0.1.0"

    /// The newest Docker Engine API version spoken.
    package static let apiVersion = "1.51"

    /// The oldest Docker Engine API version answered.
    package static let minimumAPIVersion = "1.24"

    /// The version of the OCI runtime specification that configurations are written in.
    package static let runtimeSpecification = "1.3.0"
}
