/// What makes volumes and knows where their files are.
///
/// The store of volumes (`Volumes`) asks a driver about one volume at a time only, and calls on a thread that may
/// block. Drivers are `local` (`LocalDriver`) and plugins (`PluginDriver`).
///
/// A volume's life: `define` reads a request without touching anything; `create` makes the volume, or finds one that
/// is there already; then any number of users come and go, each with `mount` and `unmount` and an id of its own; and
/// `remove` ends it, when nobody uses it. A daemon may die in any of them: `remove` and `unmount` are called again for
/// what they have done half.
package protocol VolumeDriver: Sendable {
    /// `local`, or the name of the plugin.
    var name: String { get }
    /// On which machines a volume is the same one.
    var scope: VolumeScope { get }

    /// What a driver keeps of a request.
    ///
    /// - Throws: `.invalid` for a name or options that it does not take.
    func define(_ name: String, options: [String: String]) throws(VolumesError) -> VolumeDefinition

    /// Makes a volume.
    ///
    /// - Returns: The volume, with what the driver wants to be kept of it.
    /// - Throws: `.conflict` if something is in its place.
    func create(_ volume: Volume) throws(VolumesError) -> Volume

    /// What there is of a volume at the moment; `nil` if there is nothing.
    ///
    /// - Throws: `.unavailable` if nobody can tell.
    func look(_ name: String) throws(VolumesError) -> VolumeSighting?

    /// All volumes that the driver has, whoever made them.
    func list() throws(VolumesError) -> [VolumeSighting]

    /// Removes a volume with all its files; one that is not there is no error.
    func remove(_ volume: Volume) throws(VolumesError)

    /// Makes a volume ready for a user, and says what a container has to mount.
    ///
    /// - Parameter id: what `unmount` will be called with.
    func mount(_ volume: Volume, id: String) throws(VolumesError) -> VolumeMount

    /// Tells that a user has gone.
    func unmount(_ volume: Volume, id: String) throws(VolumesError)
}

/// What a driver says of a volume.
package struct VolumeSighting: Hashable, Sendable {
    /// The volume's name.
    package var name: String
    /// Where its files are; empty if that is not known.
    package var mountpoint: String
    /// When it was made, as RFC 3339; empty if that is not known.
    package var createdAt: String
    /// A JSON object as text; `nil` for nothing to show.
    package var status: String?

    /// A volume that is there.
    package init(name: String, mountpoint: String, createdAt: String = "", status: String? = nil) {
        self.name = name
        self.mountpoint = mountpoint
        self.createdAt = createdAt
        self.status = status
    }
}
