import LinuxKernel
import SystemPackage

/// A file of names that is replaced now and then.
package final class NameFile {
    /// Where it is.
    package let path: FilePath
    private var table: NameTable?
    /// The file that was looked at last, a broken one included: it is not looked at again.
    private var seen: NameTable.FileIdentity?

    /// The file at `path`, which need not be there yet.
    package init(_ path: FilePath) { self.path = path }

    /// The names as they are now; `nil` if there is no file, or it is broken.
    ///
    /// This asks the kernel which file has the name, which costs a microsecond.
    package func current() -> NameTable? {
        // The names of a file that has been removed remain known: its network is about to be left.
        guard let status = try? FileStatus.of(path) else { return table }
        if seen == NameTable.FileIdentity(status) { return table }
        do throws(Errno) {
            let table = try NameTable(mapping: path)
            self.table = table
            seen = table.identity
        } catch .badMessage {
            table = nil
            seen = NameTable.FileIdentity(status)
        } catch {
            // Replaced in this moment, or for want of memory or descriptors: the next question tries again.
        }
        return table
    }
}
