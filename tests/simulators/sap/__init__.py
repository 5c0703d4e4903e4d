"""SAP S/4HANA's OData services as far as we use them: metadata, tokens, versions, locks and their errors."""
