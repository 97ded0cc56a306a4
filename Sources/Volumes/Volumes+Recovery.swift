import JSON
import LinuxKernel
import OCISpec
import SystemPackage

extension Volumes {
    /// Compares the rows with the directories.
    ///
    /// A directory without a row is what a creation has left that did not answer, if there is nothing in it: it goes.
    /// Else it becomes a volume, as with Docker: people restore volumes by putting their directories here. A row
    /// without a directory stays: its files may be on a disk that is not there yet, and whoever needs them is told. So
    /// nothing is removed that has files in it, but for removals that had begun.
    ///
    /// - Returns: Those removals, which take as long as there are files.
    func openNow() throws(VolumesError) -> UnfinishedRemovals {
        let (rows, damaged, uses) = try table.load()
        for (name, reason) in damaged {
            logger.error("the row of a volume cannot be read", metadata: ["name": "\(name)", "error": "\(reason)"])
        }
        state.withLock { state in
            for row in rows {
                var entry = VolumeEntry(row.volume)
                entry.isRemoving = row.isRemoving
                state.entries[row.volume.name] = entry
            }
            for use in uses { state.entries[use.volume]?.uses[use.user] = use.mountpoint }
        }
        var left = UnfinishedRemovals(volumes: rows.filter(\.isRemoving).map(\.volume))
        var known = Set(rows.map(\.volume.name))
        known.formUnion(damaged.map(\.name))
        let names: [String]
        do throws(Errno) { names = try Files.names(in: local.root).sorted() } catch {
            throw .system("cannot list \(local.root): \(error)")
        }
        for name in names where !known.contains(name) {
            do throws(VolumesError) {
                if name.hasPrefix(LocalDriver.removedPrefix) {
                    left.trees.append(local.root.appending(name))
                } else {
                    try adopt(name)
                }
            } catch {
                report(error, about: local.root.appending(name))
            }
        }
        return left
    }

    private func report(_ error: VolumesError, about path: FilePath) {
        logger.error(
            "cannot deal with what is among the volumes", metadata: ["path": "\(path)", "error": "\(error)"])
    }

    /// Removes what a removal has moved away.
    func finishRemoval(ofTree path: FilePath) {
        do throws(VolumesError) { try local.removeTree(path) } catch { report(error, about: path) }
    }

    /// Finishes the removal of a volume of this name that an earlier daemon had begun, if it is not finished yet. With
    /// the lock of the name.
    func finishRemoval(of name: String) {
        let left = state.withLock { state in state.entries[name].flatMap { $0.isRemoving ? $0.volume : nil } }
        if let left { finishRemoval(left) }
    }

    private func finishRemoval(_ volume: Volume) {
        do throws(VolumesError) {
            // A plugin may not be there yet: it is asked again when somebody asks for the removal again.
            if volume.definition != .plugin {
                try local.remove(volume)
                try table.remove(volume.name)
                state.withLock { $0.entries[volume.name] = nil }
            } else {
                takeBackRemoval(of: volume.name)
            }
        } catch {
            logger.error(
                "cannot finish the removal of a volume", metadata: ["name": "\(volume.name)", "error": "\(error)"])
            takeBackRemoval(of: volume.name)
        }
    }

    /// A volume whose removal has failed is one like all others again, for the next daemon too: that would remove it
    /// while containers use it. If this cannot be written down, nobody can use it now either.
    func takeBackRemoval(of name: String) {
        do throws(VolumesError) {
            try table.setRemoving(name, false)
            state.withLock { $0.entries[name]?.isRemoving = false }
        } catch {
            logger.error("cannot take back the removal of volume \(name): \(error)")
        }
    }

    private func adopt(_ name: String) throws(VolumesError) {
        let directory = local.directory(of: name)
        let data = local.dataDirectory(of: name)
        do throws(Errno) {
            // What is no volume's is left alone, such as lost+found where a disk is mounted here.
            guard (try? LocalVolumeName(name)) != nil,
                try FileStatus.of(directory, followingSymlinks: false).isDirectory
            else { return }
            let names = try Files.names(in: directory)
            let hasOnlyData = names == [LocalDriver.dataName]
            let isEmpty = hasOnlyData ? try isEmptyDirectory(data) : names.isEmpty
            if isEmpty {
                // Only what is empty can be removed so; a creation makes nothing else before its row.
                if !names.isEmpty {
                    if try local.quota.isSubvolume(data) {
                        try BtrfsSubvolume.remove(data)
                    } else {
                        try Files.removeDirectory(data)
                    }
                }
                try Files.removeDirectory(directory)
                return
            }
            guard names.contains(LocalDriver.dataName) else {
                logger.warning(
                    "a directory among the volumes is none: it has no _data", metadata: ["path": "\(directory)"])
                return
            }
            let status = try FileStatus.of(directory)
            let volume = Volume(
                name: name, driver: Volume.localDriver,
                createdAt: Timestamp(
                    seconds: status.modified.seconds, nanoseconds: Int32(status.modified.nanoseconds)),
                definition: .local(LocalOptions()))
            try keep(DockerOptions.volume(volume, in: directory))
        } catch {
            throw .system("\(error)")
        }
    }

    private func keep(_ volume: Volume) {
        do throws(VolumesError) {
            try table.add(volume)
            state.withLock { $0.entries[volume.name] = VolumeEntry(volume) }
            logger.notice("a directory has become a volume", metadata: ["name": "\(volume.name)"])
        } catch {
            logger.error("cannot adopt a volume", metadata: ["name": "\(volume.name)", "error": "\(error)"])
        }
    }

    private func isEmptyDirectory(_ path: FilePath) throws(Errno) -> Bool {
        guard try FileStatus.of(path, followingSymlinks: false).isDirectory else { return false }
        return try Files.names(in: path).isEmpty
    }
}

/// The options of a volume that Docker's daemon has made: it writes them into the volume's directory.
enum DockerOptions {
    private struct Document: Decodable {
        var MountType: String?
        var MountOpts: String?
        var MountDevice: String?
    }

    /// A volume with the options in its directory, if there are such. A size stays behind: limits belong to the file
    /// system on which they were set.
    static func volume(_ volume: Volume, in directory: FilePath) throws(Errno) -> Volume {
        let bytes: [UInt8]
        do throws(Errno) {
            let file = try Files.open(directory.appending("opts.json"), [.readOnly, .noFollow, .nonBlocking])
            defer { file.discard() }
            bytes = try file.readToEnd(limit: 1 << 16)
        } catch .noSuchFileOrDirectory {
            return volume
        }
        // What cannot be read has not been written by Docker; the files are a volume all the same.
        guard let document = try? JSON.decode(Document.self, from: bytes) else { return volume }
        var options: [String: String] = [:]
        options["type"] = document.MountType.flatMap { $0.isEmpty ? nil : $0 }
        options["o"] = document.MountOpts.flatMap { $0.isEmpty ? nil : $0 }
        options["device"] = document.MountDevice.flatMap { $0.isEmpty ? nil : $0 }
        // As above.
        guard !options.isEmpty, let definition = try? LocalOptions(options) else { return volume }
        return Volume(
            name: volume.name, driver: volume.driver, createdAt: volume.createdAt, options: options,
            definition: .local(definition))
    }
}
