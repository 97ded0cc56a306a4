/// What becomes of the whiteouts of a layer (`.wh.name` and `.wh..wh..opq`; image-spec, layer.md, "Whiteouts").
package enum WhiteoutForm: Hashable, Sendable {
    /// They are kept in overlayfs' form, for a directory that becomes a lower directory: a character device 0/0 for
    /// a hidden file, `trusted.overlay.opaque` on a directory that hides all below it.
    case overlay
    /// The same for an overlay that is mounted in a user namespace (`userxattr`): `user.overlay.opaque`.
    case overlayInUserNamespace
    /// They are carried out: the directory already holds the layers below.
    case remove
    /// They are names like any others: what is unpacked is no layer.
    case literal
}
