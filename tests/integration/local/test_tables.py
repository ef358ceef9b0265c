"""The embedded AWS's tables, where they differ from moto's."""

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import Cloud


def test_transaction_that_fails_changes_nothing(cloud: Cloud) -> None:
    table = cloud.table("t")
    before = [{"id": {"S": name}, "n": {"N": "1"}} for name in ("a", "b")]
    for item in before:
        cloud.dynamodb.put_item(TableName=table, Item=item)
    parts = [
        {"Put": {"TableName": table, "Item": {"id": {"S": "a"}, "n": {"N": "2"}}}},
        {
            "Update": {
                "TableName": table,
                "Key": {"id": {"S": "b"}},
                "UpdateExpression": "SET n = :n",
                "ExpressionAttributeValues": {":n": {"N": "2"}},
            }
        },
        {
            "ConditionCheck": {
                "TableName": table,
                "Key": {"id": {"S": "c"}},
                "ConditionExpression": "attribute_exists(id)",
            }
        },
    ]

    with pytest.raises(ClientError, match="TransactionCanceledException"):
        cloud.dynamodb.transact_write_items(TransactItems=parts)

    assert sorted(cloud.items(table), key=str) == before
    cloud.dynamodb.transact_write_items(TransactItems=parts[:2])
    assert [item["n"]["N"] for item in cloud.items(table)] == ["2", "2"]
