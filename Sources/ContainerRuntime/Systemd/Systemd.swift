import Cgroups
import DBus
import LinuxKernel
import SystemPackage

/// The manager of an instance of systemd (org.freedesktop.systemd1(5)).
struct Systemd {
    private let connection: DBusConnection

    private static let service = "org.freedesktop.systemd1"
    private static let path = "/org/freedesktop/systemd1"
    private static let manager = "org.freedesktop.systemd1.Manager"

    /// Whether systemd is this machine's init; sd_booted(3).
    static var isRunning: Bool {
        guard let status = try? FileStatus.of("/run/systemd/system", followingSymlinks: false) else { return false }
        return status.kind == .directory
    }

    /// - Parameter isUser: Whether the user's own instance is meant.
    init(isUser: Bool) throws(RuntimeError) {
        var first: DBusError?
        for (address, isBus) in try Self.addresses(isUser: isUser, environment: ProcessAttributes.environment) {
            do throws(DBusError) {
                let connection = try DBusConnection(address, isBus: isBus)
                if isBus { try Self.subscribe(connection) }
                self.connection = connection
                return
            } catch {
                first = first ?? error
            }
        }
        throw RuntimeError(
            .system,
            "cannot talk to \(isUser ? "the user's " : "")systemd over D-Bus: \(first?.message ?? "it has no address")"
                + (isUser ? " (a session of the user needs a bus: Debian's package dbus-user-session)" : ""))
    }

    /// Where systemd may be reached, best first, and whether there is a bus in between.
    ///
    /// Its own socket, which is only for root, needs nobody else and is faster; it sends its signals to all
    /// connections.
    static func addresses(
        isUser: Bool, environment: [String]
    ) throws(RuntimeError) -> [(address: DBusAddress, isBus: Bool)] {
        func variable(_ name: String) -> String? {
            environment.last { $0.hasPrefix("\(name)=") }.map { String($0.dropFirst(name.count + 1)) }
                .flatMap { $0.isEmpty ? nil : $0 }
        }
        do throws(DBusError) {
            if isUser {
                if let text = variable("DBUS_SESSION_BUS_ADDRESS") {
                    return try DBusAddress.list(text).map { ($0, true) }
                }
                guard let directory = variable("XDG_RUNTIME_DIR").map({ FilePath($0) }) else { return [] }
                return [
                    (.path(directory.appending("bus")), true), (.path(directory.appending("systemd/private")), false),
                ]
            }
            if let text = variable("DBUS_SYSTEM_BUS_ADDRESS") { return try DBusAddress.list(text).map { ($0, true) } }
            let bus: [(DBusAddress, Bool)] = [(.path("/run/dbus/system_bus_socket"), true)]
            return ProcessAttributes.uid == 0 ? [(.path("/run/systemd/private"), false)] + bus : bus
        } catch {
            throw RuntimeError(.invalid, error.message)
        }
    }

    /// A bus delivers signals only to clients that ask for them.
    private static func subscribe(_ connection: DBusConnection) throws(DBusError) {
        let rule = "type='signal',sender='\(service)',interface='\(manager)',member='JobRemoved'"
        var match = DBusMessage(
            call: "AddMatch", of: "org.freedesktop.DBus", at: "/org/freedesktop/DBus", on: "org.freedesktop.DBus",
            [.string(rule)])
        match.expectsNoReply = true
        try connection.send(match)
        var subscription = message("Subscribe", [])
        subscription.expectsNoReply = true
        try connection.send(subscription)
    }

    private static func message(_ method: String, _ body: [DBusValue]) -> DBusMessage {
        DBusMessage(call: method, of: manager, at: path, on: service, body)
    }

    // MARK: Asking

    private func property(_ name: String) throws(RuntimeError) -> String {
        let message = DBusMessage(
            call: "Get", of: "org.freedesktop.DBus.Properties", at: Self.path, on: Self.service,
            [.string(Self.manager), .string(name)])
        do throws(DBusError) {
            return try connection.call(message).first?.text ?? ""
        } catch {
            throw RuntimeError(.system, "cannot ask systemd for its \(name): \(error.message)")
        }
    }

    /// The number that its version begins with.
    func version() throws(RuntimeError) -> Int {
        let text = try property("Version")
        guard let version = Self.version(text) else {
            throw RuntimeError(.system, "systemd's version \"\(text)\" is not a number")
        }
        return version
    }

    /// The number in `252.39-1~deb12u1`, `v245.4-1.fc32` or `"v245"`.
    static func version(_ text: String) -> Int? {
        Int(text.drop { "\"v".contains($0) }.prefix { ("0"..."9").contains($0) })
    }

    /// The control group that all units of this instance are in.
    func controlGroup() throws(RuntimeError) -> String {
        try property("ControlGroup")
    }

    // MARK: Units

    /// Makes and starts a unit, and waits until it is there. After an error it is not.
    func start(_ unit: SystemdUnit, _ properties: [UnitProperty]) throws(RuntimeError) {
        let start = Self.message(
            "StartTransientUnit",
            [
                .string(unit.name), .string("replace"), .array(UnitProperty.type, properties.map(\.structure)),
                .array(.structure([.string, .array(UnitProperty.type)]), []),
            ])
        do throws(DBusError) {
            var answer: [DBusValue]
            do throws(DBusError) {
                answer = try connection.call(start)
            } catch  where error.name == "org.freedesktop.systemd1.UnitExists" {
                // It may be one that has failed and is kept so that somebody can look at it.
                try? reset(unit)
                answer = try connection.call(start)
            }
            let result: String
            do throws(DBusError) {
                result = try self.result(of: answer)
            } catch {
                // Whatever has become of it: what went wrong is the error to tell.
                try? abandon(unit)
                throw error
            }
            guard result == "done" else {
                try? reset(unit)  // As above.
                throw DBusError("error creating systemd unit `\(unit.name)`: got `\(result)`")
            }
        } catch {
            throw RuntimeError(.system, "unable to start unit \"\(unit.name)\": \(error.message)")
        }
    }

    /// How the job ended that `answer` names.
    private func result(of answer: [DBusValue]) throws(DBusError) -> String {
        guard let job = answer.first?.text else { throw DBusError("systemd's answer names no job") }
        let ended = try connection.signal("JobRemoved", of: Self.manager) { $0.count == 4 && $0[1].text == job }
        return ended[3].text ?? ""
    }

    private func abandon(_ unit: SystemdUnit) throws(DBusError) {
        _ = try connection.call(Self.message("StopUnit", [.string(unit.name), .string("replace")]))
        try reset(unit)
    }

    /// Stops a unit and waits until it is gone. Does nothing if there is none.
    func stop(_ unit: SystemdUnit) throws(RuntimeError) {
        do throws(DBusError) {
            do throws(DBusError) {
                let answer = try connection.call(Self.message("StopUnit", [.string(unit.name), .string("replace")]))
                _ = try result(of: answer)
            } catch  where error.name == "org.freedesktop.systemd1.NoSuchUnit" {
                // It went with its last process.
            }
            // One that has failed stays otherwise.
            do throws(DBusError) { try reset(unit) } catch  where error.name != nil {}
        } catch {
            throw RuntimeError(.system, "unable to stop unit \"\(unit.name)\": \(error.message)")
        }
    }

    private func reset(_ unit: SystemdUnit) throws(DBusError) {
        _ = try connection.call(Self.message("ResetFailedUnit", [.string(unit.name)]))
    }

    /// Changes properties until the unit ends.
    func set(_ properties: [UnitProperty], of unit: SystemdUnit) throws(RuntimeError) {
        let call = Self.message(
            "SetUnitProperties",
            [.string(unit.name), .boolean(true), .array(UnitProperty.type, properties.map(\.structure))])
        do throws(DBusError) {
            _ = try connection.call(call)
        } catch {
            throw RuntimeError(.system, "unable to set unit properties of \"\(unit.name)\": \(error.message)")
        }
    }

    /// Puts the process into the unit's control group, or one below it.
    func attach(_ process: Int32, to unit: SystemdUnit, subgroup: String = "/") throws(RuntimeError) {
        let call = Self.message(
            "AttachProcessesToUnit",
            [.string(unit.name), .string(subgroup), .array(.uint32, [.uint32(UInt32(bitPattern: process))])])
        do throws(DBusError) {
            _ = try connection.call(call)
        } catch {
            throw RuntimeError(
                .system, "error adding pid \(process) to unit \"\(unit.name)\": \(error.message)")
        }
    }
}
