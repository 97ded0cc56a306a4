import GRDB
import OCISpec

extension ContainerRecord {
    /// What can be said of a container whose row cannot be read: its id, its name, when it was made. It is dead: it can
    /// be seen and removed, and nothing else.
    ///
    /// No column is trusted to have the type that the table gives it.
    init(damaged row: Row, by error: any Error) {
        func text(_ name: String) -> String { String.fromDatabaseValue(row[name]) ?? "" }
        self.init(
            id: text("id"), name: text("name"), createdAt: Timestamp(text("createdAt")) ?? .zero,
            imageID: text("imageID"), configuration: ContainerConfiguration(image: text("imageID")),
            path: text("path"), arguments: [])
        let reason = "the row of the container in the database cannot be read: \(error)"
        damage = reason
        hasRun = Bool.fromDatabaseValue(row["hasRun"]) ?? false
        state = .dead(
            ContainerState.Exit(
                code: Int32.fromDatabaseValue(row["exitCode"]) ?? 255, startedAt: Timestamp(text("startedAt")) ?? .zero,
                finishedAt: Timestamp(text("finishedAt")) ?? .zero, error: reason))
    }
}

extension Row {
    /// A column's value; an error where GRDB's subscript would end the process.
    func value<T: DatabaseValueConvertible>(_ column: String) throws(EngineError) -> T {
        guard let value = T.fromDatabaseValue(self[column]) else {
            throw .system("the column \(column) does not have a value of the kind that belongs there")
        }
        return value
    }

    /// The same where there may be none.
    func optional<T: DatabaseValueConvertible>(_ column: String) throws(EngineError) -> T? {
        let stored: DatabaseValue = self[column]
        return stored.isNull ? nil : try value(column)
    }
}
