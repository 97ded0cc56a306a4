/// How `list` is asked.
package struct ListOptions: Sendable {
    /// Also those which do not run.
    package var all = false
    /// Only so many newest; implies `all`.
    package var limit: Int?
    /// Fill in the sizes (walks the containers' own layers).
    package var size = false
    /// Which containers.
    package var filter = ContainerFilter()

    /// Running containers, without their sizes.
    package init() {}
}
