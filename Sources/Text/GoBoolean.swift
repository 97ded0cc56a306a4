/// Truth values as Go's `strconv.ParseBool` reads them, which is what flags and options of Docker's family take.
package enum GoBoolean {
    /// True for `1`, `t`, `T`, `true`, `TRUE`, `True`, false for their opposites, nil for any other text.
    package static func parse(_ text: some StringProtocol) -> Bool? {
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": true
        case "0", "f", "F", "false", "FALSE", "False": false
        default: nil
        }
    }
}
